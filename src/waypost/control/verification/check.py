"""One check of a profile: looks at its records, has its link domain claimed and told to edges, visits it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from waypost.control.verification.answers import Probe, ProbeOutcome
from waypost.control.verification.findings import Finding, RecordState
from waypost.control.verification.judge import Seen, behind_a_proxy, judge, not_set
from waypost.control.verification.problems import SENTENCES, Problem
from waypost.control.verification.records import Expected, Purpose
from waypost.control.verification.resolve import Lookups, is_public
from waypost.control.verification.subject import Claim, Subject
from waypost.control.verification.tls import forbidding, judge_visits, managed_elsewhere, not_visited
from waypost.db.states import ProfileState

TOLD_AFTER: Final = timedelta(seconds=5)
"""So long a new link domain takes to every edge; a front that asks before is told no."""
_ADDRESSES_VISITED: Final = 4

Visit = Callable[[str, str], Awaitable[Probe]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What an install's settings say of checks.

    Attributes:
        tls_managed_elsewhere: HTTPS is not looked at.
        authority: that orders certificates, as CAA records name it; empty: they are not looked at.
        second_look_seconds: before a working profile is taken down for its HTTPS, a second visit after so long.
    """

    tls_managed_elsewhere: bool
    authority: str
    second_look_seconds: float


class Check:
    """Looks at one profile.

    Args:
        subject: the profile.
        lookups: ask DNS.
        visit: goes to a link domain at an address.
        rules: of this install.
        now: aware UTC.
    """

    def __init__(
        self, subject: Subject, lookups: Lookups, visit: Visit, rules: Rules, now: Callable[[], datetime]
    ) -> None:
        self._subject = subject
        self._lookups = lookups
        self._visit = visit
        self._rules = rules
        self._now = now
        self._names = subject.names

    async def records(self) -> dict[Purpose, Finding]:
        """What DNS says."""
        host = self._names.edge_host
        if host:
            found = await self._lookups.addresses(host)
            self._names = replace(self._names, edge_addresses=self._names.edge_addresses | found)
        findings = await asyncio.gather(*map(self._record, self._subject.records))
        return {finding.purpose: finding for finding in findings}

    async def tls(self, findings: Mapping[Purpose, Finding], claim: Claim) -> Finding:
        """What a visit to the link domain shows, once there is a point in going there."""
        name = self._subject.link_domain
        link = findings[Purpose.LINK]
        if self._rules.tls_managed_elsewhere and not claim.taken:
            return managed_elsewhere()
        leads_here = link.state is RecordState.VALID
        told = claim.published_at is not None and self._now() - claim.published_at >= TOLD_AFTER
        obstacles = (
            (claim.taken, Problem.DOMAIN_TAKEN),
            (link.problem in _OPERATORS, link.problem),
            (leads_here and not claim.owned and self._subject.related, Problem.DKIM_FIRST),
            (not leads_here or not claim.owned, Problem.TLS_WAITS),
            (not told, Problem.TLS_TOLD),
        )
        obstacle = next((problem for applies, problem in obstacles if applies), None)
        if obstacle is not None:
            return not_visited(name, obstacle, target=self._names.edge_host)
        return await self._visits(name, link.found)

    async def _record(self, expected: Expected) -> Finding:
        if not expected.rows:
            return not_set(expected)
        active = self._subject.state is ProfileState.ACTIVE

        def lost(seen: Seen) -> bool:
            counted_on = expected.relied_on or (active and expected.required)
            return counted_on and judge(expected, seen, self._names).state in _BAD

        seen = await self._lookups.see(expected, second_opinion=lost)
        finding = judge(expected, seen, self._names)
        if finding.problem is Problem.ADDRESS_ELSEWHERE and all(map(is_public, finding.found)):
            probes = await self._go(self._subject.link_domain, finding.found)
            if any(probe.outcome is ProbeOutcome.PROVEN for probe in probes):
                return behind_a_proxy(expected, finding)
        return finding

    async def _visits(self, name: str, addresses: Sequence[str]) -> Finding:
        authority = self._rules.authority
        caa = forbidding(await self._lookups.certificate_authorities(name), authority) if authority else None
        rounds = [await self._go(name, addresses)]
        finding = judge_visits(name, rounds, caa, authority)
        if finding.state in _BAD and self._subject.state is ProfileState.ACTIVE:
            await asyncio.sleep(self._rules.second_look_seconds)
            rounds.append(await self._go(name, addresses))
            finding = judge_visits(name, rounds, caa, authority)
        return finding

    async def _go(self, name: str, addresses: Iterable[str]) -> list[Probe]:
        chosen = sorted(addresses)[:_ADDRESSES_VISITED]
        return list(await asyncio.gather(*(self._visit(name, address) for address in chosen)))


_BAD: Final = frozenset({RecordState.MISSING, RecordState.WRONG})
_OPERATORS: Final = frozenset({Problem.EDGE_HOST_DEAD, Problem.EDGE_HOST_UNSET})
"""Not what the profile's owner can mend: said where the link domain as a whole is spoken of."""


def proves_ownership(subject: Subject, findings: Mapping[Purpose, Finding]) -> bool:
    """Whether what DNS says proves the link domain to be the profile's account's."""
    proof = Purpose.DKIM if subject.related else Purpose.OWNERSHIP
    return proof in findings and findings[proof].state is RecordState.VALID


def ownership(subject: Subject, seen: Finding | None, claim: Claim) -> Finding:
    """The finding about whose the link domain is. Once proven, it needs no record any more.

    Args:
        subject: the profile that was looked at.
        seen: what DNS says of the record that proves it; None when the DKIM record does.
        claim: whose it is.
    """
    if claim.owned:
        return Finding(purpose=Purpose.OWNERSHIP, state=RecordState.VALID, required=True)
    if seen is not None and not claim.taken:
        return seen
    problem = Problem.DOMAIN_TAKEN if claim.taken else Problem.DKIM_FIRST
    return Finding(
        purpose=Purpose.OWNERSHIP,
        state=RecordState.WRONG if claim.taken else RecordState.MISSING,
        required=True,
        problem=problem,
        hint=SENTENCES[problem].format(name=subject.link_domain),
        confirmed=claim.taken,
    )
