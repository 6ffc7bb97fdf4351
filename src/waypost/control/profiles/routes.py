"""Sending profiles, under both of SMTPD's paths: its client's and its documentation's."""

from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Path, Response

from waypost.config import Settings
from waypost.control.context import ControlParts
from waypost.control.errors import Code, InvalidFieldError
from waypost.control.idempotency import KeyHeader, Once, Remember
from waypost.control.oauth.bearer import Manager, ProfileReader
from waypost.control.profiles.schema import (
    LinkDomainCheck,
    NewProfile,
    ProfileSetupView,
    ProfileView,
    RecordView,
    profile_fields,
)
from waypost.control.profiles.service import (
    create_profile,
    delete_profile,
    find_profile,
    list_profiles,
    request_check,
)
from waypost.control.profiles.setup import Setup, SetupRecord, setup_of
from waypost.control.responses import refusals
from waypost.control.times import unix_seconds
from waypost.db.tables import Account

ProfileId = Annotated[UUID, Path(description="`profile_id` of the sending profile.")]

_READING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS)
_OF_ONE = _READING | refusals(Code.NO_SUCH_OBJECT)

_profiles = APIRouter(tags=["profiles"])


@_profiles.post(
    "",
    status_code=202,
    response_model=ProfileView,
    responses=_READING
    | refusals(Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.CONFLICT, Code.IDEMPOTENCY_KEY_USED, Code.BODY_TOO_LARGE),
)
async def create_sending_profile(
    control: ControlParts, principal: Manager, body: NewProfile, idempotency_key: KeyHeader = None
) -> Response:
    """Create a sending profile. It sends once it is `active`.

    None of its domains may be a public suffix, such as `co.uk` or `github.io`.
    """
    _refuse_unproven(control.settings, principal.account, body)

    def create(remember: Remember) -> ProfileView:
        profile = create_profile(
            control.database,
            control.sources,
            principal.account,
            body,
            control.settings.links.development_domains,
            control_key=control.control_key,
            remember=lambda session, profile: remember(session, lambda: ProfileView.of(profile)),
        )
        return ProfileView.of(profile)

    once = Once(control.database, control.sources, principal.account.number, idempotency_key)
    return await once.answer("profile", body, 202, lambda remember: to_thread.run_sync(create, remember))


@_profiles.get("", responses=_READING)
def sending_profiles(control: ControlParts, principal: ProfileReader) -> list[ProfileView]:
    """List the account's sending profiles, oldest first."""
    return [ProfileView.of(row) for row in list_profiles(control.database, principal.account)]


@_profiles.get("/{profile_id}", responses=_OF_ONE)
def get_sending_profile(control: ControlParts, principal: ProfileReader, profile_id: ProfileId) -> ProfileView:
    """Show a sending profile."""
    return ProfileView.of(find_profile(control.database, principal.account, profile_id))


@_profiles.get("/{profile_id}/setup", responses=_OF_ONE)
def get_setup(control: ControlParts, principal: ProfileReader, profile_id: ProfileId) -> ProfileSetupView:
    """Show the DNS records to publish for a sending profile, and what was seen of them."""
    return _setup(setup_of(control.database, control.settings, principal.account, profile_id))


@_profiles.put("/{profile_id}/verify", status_code=202, responses=_OF_ONE)
def verify_sending_profile(control: ControlParts, principal: Manager, profile_id: ProfileId) -> ProfileView:
    """Have a sending profile's DNS and TLS checked as soon as may be; they are checked without being asked for too."""
    return ProfileView.of(request_check(control.database, control.sources, principal.account, profile_id))


@_profiles.delete("/{profile_id}", status_code=204, responses=_OF_ONE)
def delete_sending_profile(control: ControlParts, principal: Manager, profile_id: ProfileId) -> None:
    """Delete a sending profile: it sends no more; mail that waits is `rejected`. Links already sent go on working."""
    delete_profile(control.database, control.sources, principal.account, profile_id)


def _refuse_unproven(settings: Settings, account: Account, new: NewProfile) -> None:
    """A profile on a development domain needs no proof, of its sending domain neither.

    Where senders have link domains of their own it is the operator's alone: whoever is approved could else send from
    anybody's domain, another sender's included, whose SPF record allows the relay.
    """
    serves_senders = settings.dns.edge_host or settings.dns.edge_addresses
    if serves_senders and not account.is_operator and new.link_domain in settings.links.development_domains:
        raise InvalidFieldError("link_domain", "is for development here: only an operator makes a profile on it")


def _setup(setup: Setup) -> ProfileSetupView:
    link_domain = setup.link_domain
    return ProfileSetupView(
        **profile_fields(setup.profile),
        dns_records=[_record(record) for record in setup.records],
        link_domain_check=LinkDomainCheck(
            state=link_domain.state, found=list(link_domain.found), hint=link_domain.hint
        ),
        bounce_domain_hint=setup.bounce_domain_hint,
        checked_at_utc=unix_seconds(setup.checked_at) if setup.checked_at else None,
        next_check_at_utc=unix_seconds(setup.next_check_at) if setup.next_check_at else None,
    )


def _record(record: SetupRecord) -> RecordView:
    return RecordView(
        name=record.name,
        type=record.type,
        value=record.value,
        validation_state=record.validation_state,
        purpose=record.purpose,
        required=record.required,
        found=list(record.found),
        hint=record.hint,
    )


def _at(prefix: str, suffix: str) -> APIRouter:
    router = APIRouter()
    # An operation has one id, and each of these is served twice.
    router.include_router(_profiles, prefix=prefix, generate_unique_id_function=lambda route: f"{route.name}{suffix}")
    return router


routers = (_at("/api/v1/email/profile", ""), _at("/api/v1/profile/email", "_by_documented_path"))
