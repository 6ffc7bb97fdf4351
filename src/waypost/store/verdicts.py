"""Verdicts of stored hits: which hits are still to be judged, what a verdict rests on, and writing it.

A verdict stands in the row of its hit. It is written there by the engine's lightweight updates: the values of some rows
are put beside their part, read with it, and go into it with the next merge. docs/adr/0015 says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from clickhouse_connect.driver.client import Client as Engine
from msgspec import Struct
from msgspec.structs import asdict

from waypost.events.hit import HitKind, Outcome
from waypost.events.name import EventName
from waypost.events.verdict import Evidence, SendFacts, Verdict
from waypost.store.ask import Rows, ask
from waypost.store.columns import NO_SEND, client_of, verdict_of
from waypost.store.failures import failures

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
HITS_OF_A_SEND_MAX: Final = 10_000
"""Those without a final verdict and, of the others, the newest. A message on a public page is opened for ever, and each
open would be judged with all before it."""

# Hits of no send are no burst of one reader's: each is a subject by itself.
_DUE: Final = f"""
SELECT account, send_id, if(send_id = toUUID('{NO_SEND}'), event_id, send_id) AS subject,
       min(occurred_at), max(occurred_at)
FROM events
WHERE NOT verdict_final
GROUP BY account, send_id, subject
HAVING max(received_at) <= {{before:DateTime64(6, 'UTC')}}
LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- put together from this module's constants
_PAGE: Final = """
SELECT account, send_id, occurred_at, event_id
FROM events
WHERE outcome != '' AND occurred_at >= {since:DateTime64(6, 'UTC')} AND (
    account > {account:UInt64} OR (account = {account:UInt64} AND (
        toUInt128(send_id) > {send:UInt128} OR (toUInt128(send_id) = {send:UInt128} AND (
            occurred_at > {occurred_at:DateTime64(6, 'UTC')}
            OR (occurred_at = {occurred_at:DateTime64(6, 'UTC')} AND event_id > {event_id:UUID})
        ))
    ))
)
ORDER BY account, toUInt128(send_id), occurred_at, event_id
LIMIT {limit:UInt32}
"""
_COUNT: Final = "SELECT count() FROM events WHERE outcome != '' AND occurred_at >= {since:DateTime64(6, 'UTC')}"
_OF_SENDS: Final = "toUInt128(send_id) IN {sends:Array(UInt128)}"
_OF_NONE: Final = f"""
    send_id = toUUID('{NO_SEND}') AND event_id IN {{event_ids:Array(UUID)}}
    AND occurred_at BETWEEN {{first_at:DateTime64(6, 'UTC')}} AND {{last_at:DateTime64(6, 'UTC')}}
"""
_HITS: Final = """
SELECT account, send_id, event_id, event, outcome, occurred_at, link_index, destination, link_domain, client_address,
       user_agent, headers, browser, browser_version, os, os_version, device, device_type, image_proxy,
       as_organisation, verdict, verdict_score, verdict_reasons, verdict_final, verdict_rules, notEmpty(cleared)
FROM events
WHERE account IN {{accounts:Array(UInt64)}} AND {which} AND outcome != ''
ORDER BY account, toUInt128(send_id), verdict_final, occurred_at DESC
LIMIT {{limit:UInt32}} BY account, send_id
"""
_DELIVERED: Final = f"""
SELECT send_id, min(occurred_at) FROM events
WHERE account IN {{accounts:Array(UInt64)}} AND {_OF_SENDS} AND event = '{EventName.DELIVERED}'
GROUP BY send_id
"""  # noqa: S608 -- as above
_LINKS: Final = f"""
SELECT send_id, max(length(link_indexes)) FROM sends
WHERE account IN {{accounts:Array(UInt64)}} AND {_OF_SENDS}
GROUP BY send_id
"""  # noqa: S608 -- as above
_WRITE: Final = """
UPDATE events SET
    verdict = joinGet('{database}.verdicts_found', 'verdict', event_id),
    verdict_score = joinGet('{database}.verdicts_found', 'score', event_id),
    verdict_reasons = joinGet('{database}.verdicts_found', 'reasons', event_id),
    verdict_rules = joinGet('{database}.verdicts_found', 'rules', event_id),
    verdict_final = 1
WHERE account IN {{accounts:Array(UInt64)}} AND toUInt128(send_id) IN {{sends:Array(UInt128)}}
  AND occurred_at BETWEEN fromUnixTimestamp64Micro({{first_us:Int64}}, 'UTC')
                      AND fromUnixTimestamp64Micro({{last_us:Int64}}, 'UTC')
  AND event_id IN (SELECT event_id FROM verdicts_found)
"""
# Microseconds: an update writes its parameters out and reads them again, and reads no time before 2001 that way.


class Subject(Struct, frozen=True):
    """Hits that are judged together: those of a send or, where that is not known, a single one."""

    account: int
    send_id: UUID | None
    event_id: UUID | None
    """Of the single one."""
    first_at: datetime
    last_at: datetime


class Position(Struct, frozen=True):
    """Of a hit, in the order of the primary key."""

    account: int
    send: int
    occurred_at: datetime
    event_id: UUID


_START: Final = Position(0, 0, _EPOCH, NO_SEND)


class Page(Struct, frozen=True):
    """Hits that follow each other."""

    hits: list[Position]

    @property
    def subjects(self) -> list[Subject]:
        """What they belong to. Of the last one, more hits may follow on the next page."""
        found: dict[tuple[int, UUID | None, UUID | None], list[datetime]] = {}
        for hit in self.hits:
            send_id = UUID(int=hit.send) if hit.send else None
            found.setdefault((hit.account, send_id, None if send_id else hit.event_id), []).append(hit.occurred_at)
        return [Subject(*which, first_at=min(times), last_at=max(times)) for which, times in found.items()]


class StoredHit(Struct, frozen=True):
    """A hit, and what its row says of it by now."""

    evidence: Evidence
    link_domain: str
    verdict: Verdict | None
    cleared: bool = False
    """Whether some of what its verdict rested on is not kept any more."""


class Judged(Struct, frozen=True):
    """A verdict to be written."""

    account: int
    send_id: UUID | None
    event_id: UUID
    occurred_at: datetime
    verdict: Verdict


class StoredVerdicts:
    """For the thread that inserts; on its connection, which no analysis keeps busy."""

    def __init__(self, engine: Engine) -> None:
        """Do nothing yet."""
        self._engine = engine

    def due(self, before: datetime, limit: int) -> list[Subject]:
        """Subjects with a hit that is not judged finally, of which nothing was received any more since `before`."""
        return [_subject(row) for row in self._query("verdicts due", _DUE, before=before, limit=limit)]

    def count(self, since: datetime) -> int:
        """How many hits there are since a time."""
        return int(self._query("hits", _COUNT, since=since)[0][0])

    def page(self, since: datetime, after: Position | None, limit: int) -> Page:
        """The next hits since a time, in the order in which they are stored, whatever their verdicts."""
        rows = self._query("a page of hits", _PAGE, since=since, limit=limit, **asdict(after or _START))
        return Page([Position(account, send_id.int, *rest) for account, send_id, *rest in rows])

    def hits(self, subjects: Sequence[Subject]) -> dict[Subject, list[StoredHit]]:
        """All hits of each, judged or not; of one with very many, `HITS_OF_A_SEND_MAX`."""
        of_sends = {(each.account, each.send_id): each for each in subjects if each.send_id is not None}
        single = {each.event_id: each for each in subjects if each.send_id is None}
        found: dict[Subject, list[StoredHit]] = {subject: [] for subject in subjects}
        if of_sends:
            for account, send_id, *rest in self._hits(of_sends.values(), _OF_SENDS, sends=_numbers(of_sends.values())):
                if (subject := of_sends.get((account, send_id))) is not None:
                    found[subject].append(_stored_hit(rest))
        if single:
            times = {
                "first_at": min(each.first_at for each in single.values()),
                "last_at": max(each.last_at for each in single.values()),
            }
            for _, _, event_id, *rest in self._hits(single.values(), _OF_NONE, event_ids=list(single), **times):
                found[single[event_id]].append(_stored_hit((event_id, *rest)))
        return found

    def sends(self, hits: Mapping[Subject, Sequence[StoredHit]]) -> dict[UUID, SendFacts]:
        """What is known of the sends that these hits are of."""
        of_sends = {subject.send_id: subject for subject in hits if subject.send_id is not None}
        asked = {
            "accounts": sorted({each.account for each in of_sends.values()}),
            "sends": _numbers(of_sends.values()),
        }
        delivered = {row[0]: row[1] for row in self._query("deliveries", _DELIVERED, **asked)}
        links = {row[0]: row[1] for row in self._query("links of sends", _LINKS, **asked)}
        return {
            send_id: SendFacts(delivered.get(send_id), links.get(send_id, 0), secure=_secure(hits[subject]))
            for send_id, subject in of_sends.items()
        }

    def write(self, judged: Sequence[Judged]) -> None:
        """Write verdicts, as final. Repeating it is harmless."""
        if not judged:
            return
        with failures("write verdicts"):
            self._engine.command("TRUNCATE TABLE verdicts_found")
            self._engine.insert(
                "verdicts_found",
                [
                    (
                        each.event_id,
                        each.verdict.verdict_class,
                        each.verdict.score,
                        list(each.verdict.reasons),
                        each.verdict.rules_version,
                    )
                    for each in judged
                ],
                column_names=["event_id", "verdict", "score", "reasons", "rules"],
            )
            self._engine.command(
                _WRITE.format(database=self._engine.command("SELECT currentDatabase()")),
                parameters={
                    "accounts": sorted({each.account for each in judged}),
                    "sends": sorted({(each.send_id or NO_SEND).int for each in judged}),
                    "first_us": _microseconds(min(each.occurred_at for each in judged)),
                    "last_us": _microseconds(max(each.occurred_at for each in judged)),
                },
            )

    def _hits(self, subjects: Iterable[Subject], which: str, **parameters: object) -> Rows:
        accounts = sorted({each.account for each in subjects})
        sql = _HITS.format(which=which)
        return self._query("hits to judge", sql, accounts=accounts, limit=HITS_OF_A_SEND_MAX, **parameters)

    def _query(self, operation: str, sql: str, **parameters: object) -> Rows:
        return ask(self._engine, operation, sql, parameters)


def _subject(row: Sequence[Any]) -> Subject:
    account, send_id, subject, first_at, last_at = row
    alone = send_id == NO_SEND
    return Subject(account, None if alone else send_id, subject if alone else None, first_at, last_at)


def _stored_hit(row: Sequence[Any]) -> StoredHit:
    event_id, event, outcome, occurred_at, link_index, destination, link_domain, client_address = row[:8]
    user_agent, headers, *client = row[8:17]
    as_organisation, *verdict, cleared = row[17:]
    return StoredHit(
        Evidence(
            event_id=event_id,
            kind=HitKind(event),
            outcome=Outcome(outcome),
            occurred_at=occurred_at,
            link_index=link_index,
            destination=destination,
            client_address=client_address,
            headers={**headers, "user-agent": user_agent} if user_agent else headers,
            client=client_of(client),
            as_organisation=as_organisation,
        ),
        link_domain,
        verdict_of(verdict),
        cleared,
    )


def _secure(hits: Sequence[StoredHit]) -> bool:
    return not any(hit.link_domain == "localhost" for hit in hits)


def _numbers(subjects: Iterable[Subject]) -> list[int]:
    return sorted({each.send_id.int for each in subjects if each.send_id is not None})


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
