"""A hit of an erased send, on its way in: it is counted, and tells nothing of who it was."""

from msgspec.structs import replace

from waypost.events.hit import without_query
from waypost.events.location import Location
from waypost.store import HitRow


def anonymous(row: HitRow) -> HitRow:
    """As `waypost.store.erasing` leaves an event: what counts need, with the verdict of this batch as the last one."""
    hit = replace(row.hit, send_id=None, client_address="", headers={}, destination=without_query(row.hit.destination))
    client = replace(row.client, browser_version="", os_version="", device="")
    return replace(
        row,
        hit=hit,
        client=client,
        location=Location(country=row.location.country),
        verdict=replace(row.verdict, final=True),
        unenriched=(),
        cleared=("client_address", "user_agent"),
    )
