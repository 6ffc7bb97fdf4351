"""Which profiles are due for a check, and what came of one: every function is one transaction, and blocks."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, join

from waypost.config import Settings
from waypost.control.profiles.dkim import dkim_keys
from waypost.control.publishing.service import snapshot_changes
from waypost.control.verification.check import TOLD_AFTER
from waypost.control.verification.findings import Finding, RecordState, Verdict, encode_findings, verdict_of
from waypost.control.verification.problems import Problem
from waypost.control.verification.records import Expected, Purpose, names_of, waits_for_operator
from waypost.control.verification.subject import Claim, Subject, claim_of, subject_of
from waypost.control.verification.transitions import next_delay, next_state
from waypost.db import Database, insert_new
from waypost.db.states import DkimAlgorithm, ProfileState
from waypost.db.tables import LinkDomain, Profile, ProfileCheck

_ALGORITHMS: Final = {Purpose.DKIM: DkimAlgorithm.RSA, Purpose.DKIM_ED25519: DkimAlgorithm.ED25519}
LEASE: Final = timedelta(minutes=5)
"""More than a check may take; a process that died in one is made up for then."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A profile that is this process's to check, until the lease ends."""

    number: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What a check made of a profile."""

    before: ProfileState
    after: ProfileState
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the operator has not set, and for how many profiles that matters.

    Attributes:
        first: the record that cannot be told, of the oldest of them.
        profiles: how many.
    """

    first: Expected
    profiles: int


def profiles_waiting(database: Database, settings: Settings) -> list[Waiting]:
    """What profiles wait for the operator to set, by purpose of the record."""
    names, development = names_of(settings), settings.links.development_domains
    with database.reading() as session:
        profiles = session.scalars(select(Profile).where(Profile.deleted_at.is_(None)).order_by(Profile.number)).all()
    unset = [
        expected
        for profile in profiles
        for expected in waits_for_operator(profile, names, development=profile.link_domain in development)
    ]
    counts = Counter(expected.purpose for expected in unset)
    firsts = {expected.purpose: expected for expected in reversed(unset)}
    return [Waiting(firsts[purpose], count) for purpose, count in counts.items()]


def add_missing_checks(database: Database, now: datetime) -> None:
    """Have profiles looked at that a release without checks has made."""
    unplanned = select(Profile.number).where(
        Profile.deleted_at.is_(None),
        ~select(ProfileCheck.profile).where(ProfileCheck.profile == Profile.number).exists(),
    )
    with database.writing() as session:
        for number in session.scalars(unplanned).all():
            insert_new(session, ProfileCheck(profile=number, watched_from=now, next_check_at=now))


def claim_due(database: Database, now: datetime, limit: int) -> list[Claimed]:
    """Take profiles that are due; no other process gets them before the lease ends.

    First those of accounts of which the fewest are under way, then the longest due: one account's thousands, on name
    servers that never answer, hold up nobody else's.
    """
    with database.reading() as session:  # looked at often, so without the write lock
        if session.execute(select(ProfileCheck.profile).where(_due(now)).limit(1)).first() is None:
            return []
    until = now + LEASE
    of_account = join(ProfileCheck, Profile, Profile.number == ProfileCheck.profile)
    under_way = (
        select(Profile.account, func.count().label("checks"))
        .select_from(of_account)
        .where(ProfileCheck.claimed_until > now)
        .group_by(Profile.account)
        .subquery()
    )
    nth = func.row_number().over(partition_by=Profile.account, order_by=ProfileCheck.next_check_at)
    turns = (
        select(
            ProfileCheck.profile,
            ProfileCheck.next_check_at,
            (nth + func.coalesce(under_way.c.checks, 0)).label("turn"),
        )
        .select_from(of_account.outerjoin(under_way, under_way.c.account == Profile.account))
        .where(_due(now))
        .subquery()
    )
    chosen = select(turns.c.profile).order_by(turns.c.turn, turns.c.next_check_at).limit(limit)
    due = (
        select(ProfileCheck.profile)
        .where(ProfileCheck.profile.in_(chosen), _due(now))
        # PostgreSQL: processes pass by each other's rows. SQLite needs no row locks: it has one writer.
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        update(ProfileCheck)
        .where(ProfileCheck.profile.in_(select(due.c.profile)))
        .values(claimed_until=until)
        .returning(ProfileCheck.profile)
    )
    with database.writing() as session:
        return [Claimed(number, until) for number in session.scalars(taken).all()]


def read_subject(database: Database, settings: Settings, claimed: Claimed) -> Subject | None:
    """What is to be checked; None when it was deleted meanwhile."""
    with database.reading() as session:
        profile = session.get_one(Profile, claimed.number)
        return None if profile.deleted_at is not None else subject_of(session, settings, profile)


def settle_claim(database: Database, subject: Subject, now: datetime, *, proven: bool, leads_here: bool) -> Claim:
    """Give a link domain to the account that proves it, and tell edges once it leads here.

    It belongs to that account, and stays published, until an operator releases it.

    Args:
        database: the control database.
        subject: the profile that was looked at.
        now: aware UTC.
        proven: DNS proves it to be the account's.
        leads_here: its DNS is right, so that a certificate may be had.
    """
    with database.reading() as session:
        row = session.get(LinkDomain, subject.link_domain)
        claim = claim_of(row, subject.account)
    if claim.taken or not (proven or claim.owned) or (claim.owned and (claim.published_at or not leads_here)):
        return claim
    with database.writing() as session:
        # Released meanwhile, it is there to be claimed anew.
        insert_new(session, LinkDomain(domain=subject.link_domain, account=subject.account, claimed_at=now))
        row = session.get_one(LinkDomain, subject.link_domain, with_for_update=True)
        if claim_of(row, subject.account).taken:
            return claim_of(row, subject.account)
        if row.proven_at is None:
            row.account, row.claimed_at, row.proven_at = subject.account, now, now
        if leads_here and row.published_at is None:
            row.published_at = now
        snapshot_changes(session, now)
        return claim_of(row, subject.account)


def record(
    database: Database,
    claimed: Claimed,
    findings: Collection[Finding],
    claim: Claim,
    now: datetime,
    *,
    began_at: datetime,
    chance: float,
) -> Change | None:
    """Keep what a check found, move the profile on, and plan the next one. None when the profile is gone meanwhile.

    Args:
        database: the control database.
        claimed: what was checked; what another process has taken over meanwhile is left to it.
        findings: everything that was looked at.
        claim: of its link domain.
        now: aware UTC.
        began_at: a check that was asked for since then is still due.
        chance: from 0 to 1.
    """
    verdict = verdict_of(findings)
    with database.writing() as session:
        check = session.get(ProfileCheck, claimed.number, with_for_update=True)
        profile = session.get(Profile, claimed.number, with_for_update=True)
        if check is None or profile is None or check.claimed_until != claimed.until:
            return None
        before = profile.state
        after = next_state(before, verdict, check.lost_at, now)
        if after is not before:
            profile.state, profile.modified_at = after, now
        if after is ProfileState.PENDING and before is not ProfileState.PENDING:
            check.lost_at = check.watched_from = now
        elif after is ProfileState.ACTIVE:
            check.lost_at = None
        _note_dkim_keys(session, profile, findings, now)
        check.findings, check.checked_at, check.claimed_until = encode_findings(findings), now, None
        if check.watched_from <= began_at or after is not before:
            waited = now - check.watched_from
            check.next_check_at = now + _delay(after, verdict, findings, claim, now, waited=waited, chance=chance)
    return Change(before, after, verdict)


def give_up(database: Database, claimed: Claimed, next_check_at: datetime) -> None:
    """Let a check that failed by itself be tried again later."""
    held = and_(ProfileCheck.profile == claimed.number, ProfileCheck.claimed_until == claimed.until)
    with database.writing() as session:
        session.execute(update(ProfileCheck).where(held).values(claimed_until=None, next_check_at=next_check_at))


def _note_dkim_keys(session: Session, profile: Profile, findings: Collection[Finding], now: datetime) -> None:
    """Which of the profile's keys are published: what could not be seen, or not by two servers, changes nothing."""
    seen = {_ALGORITHMS[each.purpose]: each for each in findings if each.purpose in _ALGORITHMS}
    for key in dkim_keys(session, profile.number):
        finding = seen.get(key.algorithm)
        if finding is not None and finding.state is RecordState.VALID:
            key.seen_at = key.seen_at or now
        elif finding is not None and finding.confirmed:
            key.seen_at = None


def _delay(
    state: ProfileState,
    verdict: Verdict,
    findings: Collection[Finding],
    claim: Claim,
    now: datetime,
    *,
    waited: timedelta,
    chance: float,
) -> timedelta:
    lacking = [finding for finding in findings if finding.required and finding.state is not RecordState.VALID]
    only_tls = [finding.purpose for finding in lacking] == [Purpose.TLS]
    if only_tls and lacking[0].problem is Problem.TLS_TOLD:
        return TOLD_AFTER
    uncertified = now - claim.published_at if only_tls and claim.published_at is not None else None
    return next_delay(state, verdict, waited=waited, uncertified=uncertified, chance=chance)


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        ProfileCheck.next_check_at <= now,
        or_(ProfileCheck.claimed_until.is_(None), ProfileCheck.claimed_until <= now),
    )
