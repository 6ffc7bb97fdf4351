"""What the owner of a profile has to publish, and what is there already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from waypost.config import Settings
from waypost.control.profiles.dkim import dkim_keys, dkim_record
from waypost.control.profiles.service import find_profile
from waypost.control.verification.answers import RecordType
from waypost.control.verification.findings import Finding, RecordState, decode_findings
from waypost.control.verification.judge import UNSET, not_set
from waypost.control.verification.problems import Problem
from waypost.control.verification.records import Expected, Purpose, Row, expected_records, names_of
from waypost.control.verification.tls import not_visited
from waypost.db import Database
from waypost.db.tables import Account, Profile, ProfileCheck


@dataclass(frozen=True, slots=True)
class SetupRecord:
    """A record to publish.

    Attributes:
        purpose: what it is for.
        name: full, without final dot.
        type: of DNS; `ALIAS` where a provider calls it so.
        value: exactly as it is to be entered.
        required: the profile is active only with it.
        validation_state: what the last check saw.
        found: what stands there instead, or as well.
        hint: what to do about it; empty for nothing.
    """

    purpose: Purpose
    name: str
    type: RecordType
    value: str
    required: bool
    validation_state: RecordState
    found: tuple[str, ...]
    hint: str


@dataclass(frozen=True, slots=True)
class Setup:
    """A profile with its records.

    Attributes:
        profile: the profile.
        records: in the order in which they are shown.
        link_domain: what HTTPS on the link domain, and the domain as a whole, lack; valid on a development domain.
        bounce_domain_hint: what the operator has yet to set for the bounce domain; empty for nothing.
        checked_at: when it was looked at last; None: not yet.
        next_check_at: when it is looked at next; None: never, on a development domain.
    """

    profile: Profile
    records: list[SetupRecord]
    link_domain: Finding
    bounce_domain_hint: str
    checked_at: datetime | None
    next_check_at: datetime | None


def setup_of(database: Database, settings: Settings, account: Account | None, profile_id: UUID) -> Setup:
    """A profile with what it needs and what was seen of that at the last check.

    Args:
        database: the control database.
        settings: what the install is called in DNS.
        account: whose the profile must be; None: an operator may see anybody's.
        profile_id: its public id.

    Raises:
        NotFoundError: there is none, it is another account's, or it is deleted.
    """
    profile = find_profile(database, account, profile_id)
    development = profile.link_domain in settings.links.development_domains
    with database.reading() as session:
        dkim = [dkim_record(profile.sending_domain, key) for key in dkim_keys(session, profile.number)]
        check = session.get(ProfileCheck, profile.number)
        account_id = session.get_one(Account, profile.account).public_id
    expected = expected_records(
        profile,
        dkim,
        names_of(settings),
        account_id=account_id,
        development=development,
    )
    # What is not set is told by the settings as they are now, not by those of the last check.
    seen = [each for each in decode_findings(check.findings if check else []) if each.problem not in UNSET.values()]
    known = {finding.purpose: finding for finding in seen}
    unset = {each.purpose: not_set(each) for each in expected if not each.rows}
    return Setup(
        profile,
        [_shown(each, row, known.get(each.purpose)) for each in expected for row in each.rows],
        _link_domain(profile, known, unset, development=development),
        " ".join(unset[purpose].hint for purpose in (Purpose.BOUNCE, Purpose.SPF) if purpose in unset),
        check.checked_at if check else None,
        check.next_check_at if check and not development else None,
    )


def _link_domain(
    profile: Profile, known: Mapping[Purpose, Finding], unset: Mapping[Purpose, Finding], *, development: bool
) -> Finding:
    if development:
        return _RIGHT_AT_ONCE
    if Purpose.LINK in unset:
        return not_visited(profile.link_domain, Problem.EDGE_HOST_UNSET)
    return known.get(Purpose.TLS, _NOT_YET)


_RIGHT_AT_ONCE = Finding(purpose=Purpose.TLS, state=RecordState.VALID, required=False)
_NOT_YET = Finding(purpose=Purpose.TLS, state=RecordState.UNKNOWN, required=True)


def _shown(expected: Expected, row: Row, finding: Finding | None) -> SetupRecord:
    """One row. Of several addresses it takes one: the others are advice once it is there."""
    state = finding.state if finding else RecordState.UNKNOWN
    several = len(expected.rows) > 1
    if several and finding and state is RecordState.VALID and row.value not in finding.found:
        state = RecordState.MISSING
    return SetupRecord(
        expected.purpose,
        expected.name,
        row.type,
        row.value,
        expected.required and not (several and row.type is RecordType.AAAA),
        state,
        finding.found if finding and state is not RecordState.VALID else (),
        finding.hint if finding else "",
    )
