"""Checks profiles as they fall due, a few at a time, until it is told to stop."""

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from waypost.config import Settings
from waypost.config.values import DNS_PORT
from waypost.control.sources import SYSTEM
from waypost.control.verification.check import Check, Rules, Visit, ownership, proves_ownership
from waypost.control.verification.findings import Finding, RecordState
from waypost.control.verification.judge import not_set
from waypost.control.verification.queue import (
    Change,
    Claimed,
    add_missing_checks,
    claim_due,
    give_up,
    profiles_waiting,
    read_subject,
    record,
    settle_claim,
)
from waypost.control.verification.records import Purpose
from waypost.control.verification.resolve import Lookups, is_public, system_resolvers
from waypost.control.verification.subject import Claim, Subject
from waypost.control.verification.visit import Visitor
from waypost.db import Database
from waypost.db.states import ProfileState
from waypost.links.keyring import Keyring

_log = logging.getLogger(__name__)

FAILED: Final = "failed"
"""Counts checks that a fault of ours, or of the database, ended."""
AT_ONCE: Final = 8
"""A check waits for others' servers nearly all of its time: 8 are some thousand an hour with half of those dead."""
SECOND_LOOK_SECONDS: Final = 5.0
"""A front that is just being started again has its certificates back by then."""
_POLL_SECONDS: Final = 1.0
"""Looking costs one indexed read; who asks for a check waits no longer than this for it to begin."""
_DATABASE_DOWN_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 180.0
"""Less than the lease. Every question has a limit of its own; this one is for their sum."""
_FAILED_AGAIN: Final = timedelta(minutes=5)
_RESOLVERS_WANTED: Final = 2


async def run(
    settings: Settings,
    database: Database,
    keyring: Callable[[], Keyring],
    context: ssl.SSLContext,
    stop: asyncio.Event,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
    name_server_port: int = DNS_PORT,
    may_ask: Callable[[str], bool] = is_public,
    counts: Counter[str] | None = None,
) -> None:
    """Check until `stop` is set; what is under way then is left to its lease.

    Several may run over one database, in one process or many. Nothing that DNS, a link domain or the database does
    ends it.

    Args:
        settings: `dns`, `mail.spf` and `links.development_domains` are used.
        database: shared with others.
        keyring: the newest one has the key that edges prove with.
        context: what certificates are judged by; see `waypost.control.verification.visit.trust`.
        stop: set it to end.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        name_server_port: of zones' own name servers; tests have another.
        may_ask: which addresses of name servers may be asked; tests have others.
        counts: is added to, by `Verdict` and `FAILED`.
    """
    if not settings.dns.ask_name_servers and len(settings.dns.resolvers or system_resolvers()) < _RESOLVERS_WANTED:
        _log.warning(
            "there is one resolver only, and name servers are not asked: no second one can confirm that a record is "
            "gone, and no active profile is taken down for it (settings dns.resolvers, dns.ask_name_servers)"
        )
    visitor = Visitor(settings.dns.https_port, context, keyring, lambda: SYSTEM.token(24))
    checker = Checker(
        settings, database, visitor.visit, clock, chance, name_server_port=name_server_port, may_ask=may_ask
    )
    await _Worker(settings, database, checker, clock, Counter() if counts is None else counts).work(stop)


class Checker:
    """Checks one profile after another, from the database to the database.

    Args:
        settings: as for `run`, and so are the others.
        database: the control database.
        visit: goes to a link domain at an address.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        name_server_port: of zones' own name servers.
        may_ask: which addresses of name servers may be asked.
        second_look_seconds: between two visits that show a loss.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        visit: Visit,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        *,
        name_server_port: int = DNS_PORT,
        may_ask: Callable[[str], bool] = is_public,
        second_look_seconds: float = SECOND_LOOK_SECONDS,
    ) -> None:
        self._settings = settings
        self._database = database
        self._visit = visit
        self._clock = clock
        self._chance = chance
        self._name_server_port = name_server_port
        self._may_ask = may_ask
        self._rules = Rules(settings.dns.tls_managed_elsewhere, settings.dns.certificate_authority, second_look_seconds)

    async def check(self, claimed: Claimed) -> Change | None:
        """Look at a profile that was claimed, and keep what is found; None when it is gone or another's by now."""
        began_at = self._clock()
        subject = await asyncio.to_thread(read_subject, self._database, self._settings, claimed)
        if subject is None:
            return None
        findings, claim = ([], _NOBODYS) if subject.development else await self._look(subject)
        change = await asyncio.to_thread(
            record,
            self._database,
            claimed,
            findings,
            claim,
            self._clock(),
            began_at=began_at,
            chance=self._chance(),
        )
        _tell(subject, change, findings)
        return change

    async def _look(self, subject: Subject) -> tuple[list[Finding], Claim]:
        check = Check(subject, self._lookups(), self._visit, self._rules, self._clock)
        findings = await check.records()
        claim = await asyncio.to_thread(
            settle_claim,
            self._database,
            subject,
            self._clock(),
            proven=proves_ownership(subject, findings),
            leads_here=findings[Purpose.LINK].state is RecordState.VALID,
        )
        findings[Purpose.OWNERSHIP] = ownership(subject, findings.get(Purpose.OWNERSHIP), claim)
        findings[Purpose.TLS] = await check.tls(findings, claim)
        return list(findings.values()), claim

    def _lookups(self) -> Lookups:
        dns = self._settings.dns
        return Lookups(
            dns.resolvers or system_resolvers(),
            ask_name_servers=dns.ask_name_servers,
            ends=(dns.edge_host, dns.bounce_host),
            port=self._name_server_port,
            may_ask=self._may_ask,
        )


class _Worker:
    """Keeps up to `AT_ONCE` checks under way as long as any is due."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        checker: Checker,
        clock: Callable[[], datetime],
        counts: Counter[str],
    ) -> None:
        self._settings = settings
        self._database = database
        self._counts = counts
        self._checker = checker
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()
        self._begun = self._failing = False

    async def work(self, stop: asyncio.Event) -> None:
        """Claim and start until `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                for claimed in await self._claim():
                    task = asyncio.create_task(self._attempt(claimed))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                full = len(self._under_way) >= AT_ONCE
                await asyncio.wait(
                    {stopping, *(self._under_way if full else ())},
                    timeout=None if full else _DATABASE_DOWN_SECONDS if self._failing else _POLL_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            stopping.cancel()
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _claim(self) -> list[Claimed]:
        free = AT_ONCE - len(self._under_way)
        if not free:
            return []
        now = self._clock()
        try:
            if not self._begun:
                await asyncio.to_thread(self._begin, now)
                self._begun = True
            claimed = await asyncio.to_thread(claim_due, self._database, now, free)
        except SQLAlchemyError as error:
            if not self._failing:
                _log.error("profiles are not checked, for the database does not answer: %s", error)
            self._failing = True
            return []
        self._failing = False
        return claimed

    def _begin(self, now: datetime) -> None:
        add_missing_checks(self._database, now)
        for waiting in profiles_waiting(self._database, self._settings):
            _log.warning("%s So it is with %d profile(s).", not_set(waiting.first).hint, waiting.profiles)

    async def _attempt(self, claimed: Claimed) -> None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                change = await self._checker.check(claimed)
            if change is not None:
                self._counts[change.verdict] += 1
        except Exception:  # noqa: BLE001 - one profile must not stop the others; it is tried again
            self._counts[FAILED] += 1
            _log.exception("the check of profile %d failed", claimed.number)
            try:
                await asyncio.to_thread(give_up, self._database, claimed, self._clock() + _FAILED_AGAIN)
            except SQLAlchemyError:
                _log.error("profile %d is checked again when its lease ends", claimed.number)


_NOBODYS: Final = Claim(owned=False, taken=False, published_at=None)


def _tell(subject: Subject, change: Change | None, findings: list[Finding]) -> None:
    """Whoever runs the install sees a profile come and go."""
    if change is None or change.before is change.after:
        return
    lacking = [finding for finding in findings if finding.required and finding.state is not RecordState.VALID]
    hints = " ".join(f"[{finding.purpose}] {finding.hint}" for finding in lacking)
    level = logging.INFO if change.after is ProfileState.ACTIVE else logging.WARNING
    said = (subject.number, subject.link_domain, change.before, change.after, hints)
    _log.log(level, "profile %d (link domain %s) was %s and is %s. %s", *said)
