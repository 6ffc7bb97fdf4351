"""The SQL of counts: put together from this module's constants, its parameters bound by the engine.

Counted are clicks and opens that were answered: HEAD and prefetch are stored, and left out here. A hit that no rule has
seen is `unknown`, so that human, machine and unknown always add up to the total.
"""

from collections.abc import Sequence
from typing import Final

from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store.columns import NO_SEND

_NOW: Final = "occurred_at >= {from:DateTime64(6, 'UTC')}"
_BEFORE: Final = "occurred_at < {from:DateTime64(6, 'UTC')}"
HUMAN: Final = f"verdict = '{VerdictClass.HUMAN}'"
MACHINE: Final = f"verdict = '{VerdictClass.MACHINE}'"
_UNKNOWN: Final = f"verdict NOT IN ('{VerdictClass.HUMAN}', '{VerdictClass.MACHINE}')"
VERDICTS: Final = {VerdictClass.HUMAN: HUMAN, VerdictClass.MACHINE: MACHINE, VerdictClass.UNKNOWN: _UNKNOWN}

# A hit of nobody, in anonymous mode, is in no unique count: nobody can tell it from another. Nor is a send's state.
_KNOWN: Final = f"send_id != toUUID('{NO_SEND}')"
# What measures are made of, under short names: a text that says it in full for each takes the engine longer to read.
# Ids are told apart by 64-bit hashes. Among ten million, two are the same by chance in one of 300,000 such counts. The
# links of a send are a step of the golden ratio apart, which costs less than a hash of both.
_TOLD: Final = f"""
event, {_NOW} AS now, {HUMAN} AS human, {MACHINE} AS machine,
       {_KNOWN} AND outcome != '' AS known, event = '{EventName.CLICK}' AS followed,
       cityHash64(send_id) AS sent, sent + link_index * 0x9E3779B97F4A7C15 AS link
""".strip()
_BITS: Final = {"now": 1, "NOT now": 2, "human": 4, "machine": 8, "followed": 16}
_SIGNS: Final = "toUInt8(if(now, 1, 2) + 4 * human + 8 * machine + 16 * followed)"
# Sends and links of hits one after the other, and what is told of each: going through them once for each measure costs
# less than filling a set for each, row by row.
_GATHERED: Final = f"""
WITH groupArrayIf(sent, known) AS sends, groupArrayIf(link, known) AS links, groupArrayIf({_SIGNS}, known) AS signs
""".strip()
# name: (what is counted, conditions that hold together). A send has one recipient, so sends are told apart for them.
MEASURES: Final = {
    "total": ("", ()),
    "human": ("", ("human",)),
    "machine": ("", ("machine",)),
    "unknown": ("", ("NOT human", "NOT machine")),
    "unique_send": ("sends", ()),
    "unique_send_human": ("sends", ("human",)),
    "unique_send_machine": ("sends", ("machine",)),
    "unique_link": ("links", ("followed",)),
    "unique_link_human": ("links", ("followed", "human")),
    "unique_link_machine": ("links", ("followed", "machine")),
}


def measured(*, unique: bool) -> list[str]:
    """The measures, in order; the unique ones come last."""
    return [name for name in MEASURES if unique or not name.startswith("unique")]


def _aggregates(*, unique: bool) -> list[str]:
    """Each of them now and before."""
    return [
        _aggregate(of, (period, *conditions))
        for of, conditions in map(MEASURES.__getitem__, measured(unique=unique))
        for period in ("now", "NOT now")
    ]


def _aggregate(of: str, conditions: Sequence[str]) -> str:
    """How many hits meet all conditions, or how many different ones there are among what is gathered of these."""
    if not of:
        return f"countIf({' AND '.join(conditions) or '1'})"
    if not conditions:
        return f"arrayUniq({of})"
    bits = sum(map(_BITS.__getitem__, conditions))
    return f"arrayUniq(arrayFilter((one, sign) -> bitAnd(sign, {bits}) = {bits}, {of}, signs))"


_PERIOD: Final = """
account = {account:UInt64}
  AND occurred_at >= {previous_from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}"""
HITS: Final = f"event IN ('{EventName.OPEN}', '{EventName.CLICK}') AND outcome = 'answered'"


def _sends_of(condition: str) -> str:
    """Records of the sends that these events are of, and of others that were accepted about then.

    Sends lie in the order of their ids, and so of their time. Nearly all events are of sends of their period and the
    days before it: these are one range, read without looking who has events. Older sends, and ids that carry no time or
    a wrong one, are looked up by the ids that the events have: those events are ranges of the primary key as well.
    """
    return f"""
account = {{account:UInt64}}
  AND ((toUInt128(send_id) >= {{sends_from:UInt128}} AND toUInt128(send_id) < {{sends_to:UInt128}})
       OR toUInt128(send_id) IN
          (
              SELECT toUInt128(send_id) FROM events
              WHERE {condition}
                AND ((toUInt128(send_id) > 0 AND toUInt128(send_id) < {{sends_from:UInt128}})
                     OR toUInt128(send_id) >= {{sends_to:UInt128}})
          ))"""  # noqa: S608 -- put together from this module's constants


FILTERS: Final = {
    "profile": "profile = {profile:UInt64}",
    "event": "event = {event:String}",
    "tag": f"send_id IN (SELECT send_id FROM sends WHERE {_sends_of(_PERIOD)} AND has(tags, {{tag:String}}))",  # noqa: S608 -- as above
}

# Hours and days begin as the clocks of a time zone show. The previous period is laid over the current one.
_MOVED: Final = f"if({_NOW}, occurred_at, addMicroseconds(occurred_at, {{length_us:Int64}}))"
# Not toStartOfHour: it counts hours from the day before where clocks change by half an hour (Lord Howe Island).
_HOUR_BEGINS: Final = (
    f"toDateTime(intDiv(toUnixTimestamp64Micro({_MOVED}), 60000000) * 60 "
    f"- 60 * toMinute({_MOVED}, {{time_zone:String}}), {{time_zone:String}})"
)
_OFFSET: Final = "formatDateTime(at, '%z', {time_zone:String})"
# An hour that the clocks show twice is told apart by its offset from UTC.
_HOUR: Final = (
    "concat(formatDateTime(at, '%Y-%m-%dT%H:%i', {time_zone:String}), "
    f"substring({_OFFSET}, 1, 3), ':', substring({_OFFSET}, 4, 2))"
)
_DAY: Final = "formatDateTime(at, '%Y-%m-%d', {time_zone:String})"
TAG: Final = "tag"
# dimension: (what rows are grouped by, how that is shown); the second is worked out for the groups only.
KEYS: Final = {
    "country": ("country", "at"),
    "region": ("(country, region)", "if(at.2 = '', '', concat(at.1, '/', at.2))"),
    "city": ("(country, region, city)", "if(at.3 = '', '', concat(at.1, '/', at.2, '/', at.3))"),
    "device": ("device_type", "at"),
    "browser": ("browser", "at"),
    "os": ("os", "at"),
    "link": ("destination", "at"),
    "hour": (_HOUR_BEGINS, _HOUR),
    "day": (f"toStartOfDay({_MOVED}, {{time_zone:String}})", _DAY),
}
# No tag has a control character.
_BETWEEN_TAGS: Final = "char(0)"
IN_ORDER_OF_TIME: Final = frozenset({"hour", "day"})


def domains(filters: str) -> str:
    """The row over all domains or not, the domain, then how many of its sends reached a state, now and before.

    The row over all domains comes first, unless there are no events.
    """
    domain = "lower(substring(recipient_email_address, position(recipient_email_address, '@') + 1))"
    return f"""
SELECT grouping(of_send) AS overall, of_send AS key, countIf(now), countIf(NOT now)
FROM {_with_send(domain, f"{_PERIOD} AND outcome = '' AND {filters}")}
GROUP BY of_send WITH ROLLUP
ORDER BY overall DESC, 3 DESC, 4 DESC, key
LIMIT {{limit:UInt32}} + 1
"""  # noqa: S608 -- as above


def _with_send(column: str, condition: str) -> str:
    """What is told of events, and beside each of them `of_send`, a text of its send's record, empty without one.

    The join goes by hashes of ids, and copies numbers of texts instead of texts: a third of what ids and texts cost.
    """
    return f"""(SELECT {_TOLD} FROM events WHERE {condition}) AS happened
ANY LEFT JOIN
(
    SELECT cityHash64(send_id) AS sent, toLowCardinality({column}) AS of_send FROM sends WHERE {_sends_of(condition)}
) AS records USING sent"""  # noqa: S608 -- as above


# Those sent within 18.6 hours (2^26 ms) lie together in the order of the table, and are few enough for what is gathered
# of them to stay in the processor's cache. A send is in one span, so that what is unique adds up over spans.
_SPAN: Final = "if(known, toUInt32(bitShiftRight(toUInt128(send_id), 106)), 0)"
_NAMES: Final = [str(name) for name in EventName]
_NUMBER: Final = f"transform(event, {_NAMES}, range(1, {len(_NAMES) + 1}), 0)"
# Span (22 bits), event (4) and period (1) in one number, by which the engine groups faster than by several columns.
_COUNTED: Final = f"toUInt32(32 * {_SPAN} + 2 * {_NUMBER} + now)"


def by_event(filters: str, *, states: bool) -> str:
    """Clicks and opens, and the states of sends if asked for: the event, then each measure now and before."""
    happened = f"(outcome = '' OR ({HITS}))" if states else HITS
    counts, sums = [], []
    for number, (of, conditions) in enumerate(MEASURES.values()):
        counts.append(f"{_aggregate(of, [each for each in conditions if each != 'followed'])} AS m{number}")
        followed = f" AND event = '{EventName.CLICK}'" if "followed" in conditions else ""
        sums += [f"sumIf(m{number}, {period}{followed})" for period in ("now", "NOT now")]
    return f"""
WITH bitAnd(counted, 1) = 1 AS now
SELECT {_NAMES}[bitAnd(intDiv(counted, 2), 15)] AS event, {", ".join(sums)}
FROM
(
    {_GATHERED}
    SELECT {_COUNTED} AS counted, {", ".join(counts)}
    FROM (SELECT {_TOLD}, send_id FROM events WHERE {_PERIOD} AND {happened} AND {filters})
    GROUP BY counted
)
GROUP BY event
"""  # noqa: S608 -- as above


def by_key(dimension: str, filters: str, *, unique: bool) -> str:
    """Whether this is the row over all keys, the key, then each measure now and before.

    The row over all comes first, unless there are no events, then the key with the highest total, or the earliest. It
    is made from what was counted by key, sets of what is unique included: those of several keys do not add up.
    """
    if dimension == TAG:
        return _by_tag(filters, unique=unique)
    grouped_by, shown = KEYS[dimension]
    order = "at" if dimension in IN_ORDER_OF_TIME else "3 DESC, 4 DESC, at"
    return f"""
{_GATHERED}
SELECT grouping(at) AS overall, {shown} AS key, {", ".join(_aggregates(unique=unique))}
FROM (SELECT {_TOLD}, {grouped_by} AS at FROM events WHERE {_PERIOD} AND {HITS} AND {filters})
GROUP BY at WITH ROLLUP
ORDER BY overall DESC, {order}
LIMIT {{limit:UInt32}} + 1
"""  # noqa: S608 -- as above


def _by_tag(filters: str, *, unique: bool) -> str:
    """By all tags of a send together first. A send has its tags once, so that what is unique adds up."""
    measures = [f"{aggregate} AS m{number}" for number, aggregate in enumerate(_aggregates(unique=unique))]
    sums = [f"sum(m{number})" for number in range(len(measures))]
    return f"""
SELECT overall, tag AS key, {", ".join(sums)}
FROM
(
    {_GATHERED}
    SELECT grouping(of_send) AS overall, of_send, {", ".join(measures)}
    FROM {_with_send(f"arrayStringConcat(tags, {_BETWEEN_TAGS})", f"{_PERIOD} AND {HITS} AND {filters}")}
    GROUP BY of_send WITH ROLLUP
)
ARRAY JOIN splitByChar({_BETWEEN_TAGS}, toString(of_send)) AS tag
GROUP BY overall, key
ORDER BY overall DESC, 3 DESC, 4 DESC, key
LIMIT {{limit:UInt32}} + 1
"""  # noqa: S608 -- as above


CLICKS: Final = f"""
SELECT send_id, count(), countIf({HUMAN}), countIf({MACHINE}), min(occurred_at), minIf(occurred_at, {HUMAN})
FROM events
WHERE account = {{account:UInt64}} AND toUInt128(send_id) IN {{sends:Array(UInt128)}}
  AND event = '{EventName.CLICK}' AND outcome = 'answered'
GROUP BY send_id
"""  # noqa: S608 -- as above

TIME_ZONE: Final = "SELECT count() FROM system.time_zones WHERE time_zone = {time_zone:String}"
