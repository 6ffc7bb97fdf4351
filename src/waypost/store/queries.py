"""Every query of the event store. Parameters are bound by the engine, never pasted."""

# `account` and the time bounds cut the search to a few granules; `segment` decides.
STORED_RECORDS = """
SELECT segment, groupUniqArray(record)
FROM events
WHERE account IN {accounts:Array(UInt64)}
  AND occurred_at BETWEEN {first_at:DateTime64(6, 'UTC')} AND {last_at:DateTime64(6, 'UTC')}
  AND segment IN {segments:Array(String)}
GROUP BY segment
"""

STORED_SEND_EVENTS = """
SELECT event_id
FROM events
WHERE (account, send_id) IN {sends:Array(Tuple(UInt64, UUID))} AND event_id IN {event_ids:Array(UUID)}
"""

SEND_COLUMNS = """
send_id, send_key, account, profile, sending_profile_id, recipient_email_address, tags, link_indexes, link_names,
       link_parts, accepted_at
""".strip()

# A send that was inserted twice stands there twice until the engine merges.
SENDS = f"""
SELECT {SEND_COLUMNS}
FROM sends
WHERE account IN {{accounts:Array(UInt64)}} AND toUInt128(send_id) IN {{sends:Array(UInt128)}}
LIMIT 1 BY account, send_id
"""  # noqa: S608 -- put together from this module's constants

EVENT_COLUMNS = """
event_id, event, outcome, occurred_at, received_at, stored_at, account, profile, send_id, link_index,
       destination, link_domain, edge, client_address, user_agent, browser, browser_version, os, os_version, device,
       device_type, image_proxy, country, region, city, latitude, longitude, time_zone, asn, as_organisation,
       verdict, verdict_score, verdict_reasons, verdict_final, verdict_rules, detail
""".strip()

# Without the account and the send the whole store would be searched; with them only these events are read.
EVENTS = f"""
SELECT {EVENT_COLUMNS}
FROM events
WHERE account IN {{accounts:Array(UInt64)}} AND toUInt128(send_id) IN {{sends:Array(UInt128)}}
  AND event_id IN {{event_ids:Array(UUID)}}
"""  # noqa: S608 -- as above

# The first of each link, earliest first, so that the first row of a send and an event is the first of the send.
FIRST_HITS = """
SELECT account, send_id, event, argMin(event_id, (occurred_at, toUInt128(event_id)))
FROM events
WHERE account IN {accounts:Array(UInt64)} AND toUInt128(send_id) IN {sends:Array(UInt128)} AND outcome = 'answered'
GROUP BY account, send_id, event, link_index
ORDER BY min((occurred_at, toUInt128(event_id)))
"""

SEND_EVENTS = f"""
SELECT {EVENT_COLUMNS}
FROM events
WHERE account = {{account:UInt64}} AND toUInt128(send_id) = {{send:UInt128}}
ORDER BY occurred_at, toUInt128(event_id)
"""  # noqa: S608 -- as above
