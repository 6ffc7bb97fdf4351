"""Sending profiles, under both of SMTPD's paths: its client's and its documentation's."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.oauth.bearer import Manager, ProfileReader
from waypost.control.profiles.schema import NewProfile, ProfileView
from waypost.control.profiles.service import create_profile, find_profile, list_profiles
from waypost.control.responses import refusals

ProfileId = Annotated[UUID, Path(description="`profile_id` of the sending profile.")]

_READING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS)
_OF_ONE = _READING | refusals(Code.NO_SUCH_OBJECT)

_profiles = APIRouter(tags=["profiles"])


@_profiles.post(
    "",
    status_code=202,
    responses=_READING | refusals(Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.CONFLICT, Code.BODY_TOO_LARGE),
)
def create_sending_profile(control: ControlParts, principal: Manager, body: NewProfile) -> ProfileView:
    """Create a sending profile. It sends once it is `active`."""
    domains = control.settings.links.development_domains
    return ProfileView.of(create_profile(control.database, control.sources, principal.account, body, domains))


@_profiles.get("", responses=_READING)
def sending_profiles(control: ControlParts, principal: ProfileReader) -> list[ProfileView]:
    """List the account's sending profiles, oldest first."""
    return [ProfileView.of(row) for row in list_profiles(control.database, principal.account)]


@_profiles.get("/{profile_id}", responses=_OF_ONE)
def get_sending_profile(control: ControlParts, principal: ProfileReader, profile_id: ProfileId) -> ProfileView:
    """Show a sending profile."""
    return ProfileView.of(find_profile(control.database, principal.account, profile_id))


def _at(prefix: str, suffix: str) -> APIRouter:
    router = APIRouter()
    # An operation has one id, and each of these is served twice.
    router.include_router(_profiles, prefix=prefix, generate_unique_id_function=lambda route: f"{route.name}{suffix}")
    return router


routers = (_at("/api/v1/email/profile", ""), _at("/api/v1/profile/email", "_by_documented_path"))
