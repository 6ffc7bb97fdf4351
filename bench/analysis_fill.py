"""A year of made-up events of 1,000 accounts, made by SQL inside the store.

An account's share of all sends is one over its rank: the largest has a tenth of everything, the smaller half of all
accounts a tenth together. A send has its five states, and one or two opens and clicks on average, hours later for the
most part.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from waypost.store import EventStore

ACCOUNTS: Final = 1000
END: Final = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS: Final = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
EVENTS_OF_A_SEND: Final = 6.87
"""On average."""
TAGS: Final = 40
"""Each send has one or two of these."""

_SENDS = """
INSERT INTO made
SELECT dateTimeToUUIDv7(toDateTime(accepted_at, 'UTC')) AS send_id,
       substring(hex(sipHash128(number, {seed:UInt64})), 1, 27),
       account, account AS profile, toUUID('00000000-0000-0000-0000-00000000004d'),
       concat('reader', toString(rand(1) % 2000000), '@',
              if(rand(2) % 2 = 0, ['gmail.com', 'outlook.com', 'yahoo.com', 'web.de'][1 + rand(3) % 4],
                 concat('company', toString(rand(4) % 20000), '.example'))),
       arrayDistinct([concat('tag-', toString(rand(5) % {tags:UInt32})), concat('tag-', toString(rand(6) % 4))]),
       range(20), arrayWithConstant(20, ''), arrayWithConstant(20, 'html'), accepted_at
FROM
(
    SELECT number, toUInt64(exp2(randCanonical(1) * log2({accounts:UInt32}))) AS account,
           addMicroseconds(toDateTime64({first_at:DateTime}, 6, 'UTC'),
                           toInt64(randCanonical(2) * {seconds:UInt32} * 1e6)) AS accepted_at
    FROM numbers({sends:UInt64})
)
"""
_SYSTEMS = "['iOS', 'Android', 'Windows', 'Mac OS X', 'Linux']"
_BROWSERS = "['Mobile Safari', 'Chrome Mobile', 'Chrome', 'Safari', 'Firefox', 'Edge', 'Outlook', 'Apple Mail']"
_DEVICES = "['mobile', 'mobile', 'mobile', 'desktop', 'desktop', 'tablet', 'unknown', 'bot']"
_COUNTRIES = "['US', 'US', 'US', 'GB', 'GB', 'DE', 'DE', 'FR', 'JP', 'IN', 'BR', 'NL', 'ES', 'IT', 'PL', 'SE']"
_EVENTS = f"""
INSERT INTO events
    (event_id, event, outcome, occurred_at, received_at, account, profile, send_id, link_index, destination,
     link_domain, edge, segment, record, client_address, user_agent, headers, browser, browser_version, os, os_version,
     device, device_type, country, region, city, latitude, longitude, time_zone, asn, as_organisation, verdict,
     verdict_score, verdict_reasons, verdict_final, verdict_rules)
WITH cityHash64(send_id, number) AS h, intHash64(h) AS g, intHash64(g) AS f,
     name IN ('open', 'click') AS is_hit, name = 'click' AS is_click,
     multiIf(NOT is_hit, '', h % 100 < 3, 'head', h % 100 < 5, 'prefetch', 'answered') AS how,
     least(toInt64(is_hit * -log((g % 1000000 + 1) / 1000001) * 2e10), toInt64(2e12)) AS later_us,
     addMicroseconds(accepted_at, 1000000 * number + later_us) AS at, h % 8 AS client, f % 5000 AS place,
     {_COUNTRIES}[1 + place % 16] AS nation, multiIf(g % 100 < 65, 'human', g % 100 < 90, 'machine', 'unknown') AS class
SELECT generateUUIDv7(number), name, how, at, addMilliseconds(at, 700), account, profile, send_id,
       is_click * (f % 20),
       if(is_click, concat('https://www.shop', toString(account), '.example/p/', toString(f % 200)), ''),
       if(is_hit, concat('links.shop', toString(account), '.example'), ''), if(is_hit, 'edge-0', ''),
       if(is_hit, concat('edge-0.', toString(intDiv(toUnixTimestamp(at), 60))), ''), is_hit * (h % 5000),
       if(is_hit, IPv4NumToString(toUInt32(1000000000 + f % 3000000 * 700)), ''),
       if(is_hit, concat('Mozilla/5.0 (', {_SYSTEMS}[1 + client % 5], ') AppleWebKit/537.36 (KHTML, like Gecko) ',
                         'Chrome/', toString(90 + f % 50), '.0.', toString(g % 50), '.0 Safari/537.36'), ''),
       if(is_hit, map('accept-language', ['en', 'de', 'fr'][1 + h % 3]), map()),
       if(is_hit, {_BROWSERS}[1 + client], ''), if(is_hit, toString(90 + f % 50), ''),
       if(is_hit, {_SYSTEMS}[1 + client % 5], ''), '', '', if(is_hit, {_DEVICES}[1 + client], 'unknown'),
       if(is_hit, nation, ''), if(is_hit, concat('Region ', toString(place % 160)), ''),
       if(is_hit, concat('City ', toString(place)), ''), is_hit * (place % 70), is_hit * (place % 180),
       if(is_hit, 'Europe/London', ''), is_hit * (place % 3000),
       if(is_hit, concat('Network ', toString(place % 3000)), ''), if(is_hit, class, ''), if(is_hit, g % 100, 0),
       if(is_hit, [['no_sign'], ['declared_bot'], ['hours_later']][1 + g % 3], []),
       1, is_hit
FROM
(
    SELECT send_id, account, profile, accepted_at, cityHash64(send_id) AS s,
           arrayConcat(['accepted', 'queued', 'processed', 'sent', if(s % 100 < 97, 'delivered', 'bounce')],
                       arrayWithConstant([0, 0, 1, 1, 2, 3][1 + intHash64(s) % 6], 'open'),
                       arrayWithConstant([0, 0, 0, 0, 0, 0, 1, 1, 2, 3][1 + intHash64(s + 1) % 10], 'click')) AS names
    FROM made
)
ARRAY JOIN names AS name, arrayEnumerate(names) AS number
"""
# The engine would use all of the memory there is for speed.
_LIMITS: Final = {"max_insert_threads": 1, "max_threads": 2, "max_insert_block_size": 500_000}


def fill(store: EventStore, events: int, say: Callable[[str], None]) -> None:
    """Add so many events, give or take a few, then wait until the engine has merged what it wants to merge."""
    client = store._connection.writer
    before = rows(store)
    began = time.perf_counter()
    for number, month in enumerate(MONTHS):
        following = MONTHS[number + 1] if number + 1 < len(MONTHS) else END
        asked = {
            "seed": before + number,
            "tags": TAGS,
            "accounts": ACCOUNTS + 1,
            "first_at": month,
            "seconds": int((following - month).total_seconds()),
            "sends": int(events / len(MONTHS) / EVENTS_OF_A_SEND),
        }
        # The sends of one month first, because their events are made from them.
        client.command("CREATE OR REPLACE TABLE made AS sends ENGINE = Memory")
        client.command(_SENDS, parameters=asked, settings=_LIMITS)
        client.command(_EVENTS, settings=_LIMITS)
        client.command("INSERT INTO sends SELECT * FROM made", settings=_LIMITS)
        say(f"{rows(store):,} events after {time.perf_counter() - began:.0f} s")
    client.command("DROP TABLE made SYNC")
    while merging(store):
        time.sleep(1)
    say(f"merged after {time.perf_counter() - began:.0f} s")


def rows(store: EventStore) -> int:
    """Stored events."""
    return int(store._connection.writer.command("SELECT count() FROM events"))


def merging(store: EventStore) -> int:
    """Merges that go on."""
    return int(store._connection.writer.command("SELECT count() FROM system.merges"))
