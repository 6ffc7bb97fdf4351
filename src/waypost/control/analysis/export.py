"""Events as lines: JSON, or CSV for spreadsheets.

Lines are made page by page while they are sent, so an export of any length takes the memory of one page.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from waypost.control.analysis.service import Asked, chosen, chosen_period
from waypost.control.context import Control
from waypost.control.oauth.service import Principal
from waypost.control.paging import bad_cursor, cursor_of, position_of
from waypost.control.sends.events import stored_event_view
from waypost.events.name import EventName
from waypost.store.export import BEGINNING, Choice
from waypost.store.rows import Event, SendRow

OVERLAP: Final = timedelta(minutes=1)
"""A row is stamped when its insert begins, and can be read when that has synced, which a slow disk may hold up."""

_MICROSECOND: Final = timedelta(microseconds=1)
# A cell that begins with one of these is a formula to Excel, LibreOffice or Google Sheets: OWASP, "CSV Injection". The
# wide forms are those of East Asian keyboards, which Excel takes for the same.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_COLUMNS: Final = (
    "event_id", "event", "outcome", "occurred_at", "send_id", "send_key", "sending_profile_id",
    "recipient_email_address", "tags", "link_index", "link_name", "link_url", "link_part", "client", "client_version",
    "image_proxy", "os", "os_version", "device", "device_type", "country", "region", "city", "latitude", "longitude",
    "time_zone", "ip", "user_agent", "verdict", "verdict_final", "verdict_score", "verdict_reasons", "detail",
)  # fmt: skip


class Form(StrEnum):
    """What a line is."""

    CSV = "csv"
    JSON_LINES = "jsonl"


@dataclass(frozen=True, slots=True)
class Exported:
    """What is going to be sent."""

    rows: int
    cursor: str
    """Where the next export takes up."""
    lines: Iterator[bytes]
    """A page of them each."""


def export(
    control: Control, principal: Principal, asked: Asked, event: EventName | None, *, form: Form, cursor: str | None
) -> Exported:
    """The account's events of a period, HEAD and prefetch included.

    Raises:
        InvalidFieldError: the period is empty or too long, or the cursor is none of ours.
        NotFoundError: the account has no such profile.
        StoreError: the event store cannot be asked.
    """
    now = control.sources.now()
    choice = Choice(
        account=principal.account.number,
        period=chosen_period(control, asked),
        filters=chosen(control, principal, asked, event),
        stored_after=BEGINNING if cursor is None else _instant(cursor),
        stored_until=now,
    )
    pages = control.store.export.pages(choice)
    lines = _csv(pages) if form is Form.CSV else _json_lines(pages)
    taken_up = cursor_of((now - OVERLAP - BEGINNING) // _MICROSECOND)
    return Exported(control.store.export.count(choice), taken_up, lines)


def _instant(cursor: str) -> datetime:
    match position_of(cursor):
        case [number] if number.isascii() and number.isdigit():
            try:
                return BEGINNING + int(number) * _MICROSECOND
            except OverflowError as error:
                raise bad_cursor() from error
    raise bad_cursor()


Page = Iterable[tuple[Event, SendRow | None]]


def _json_lines(pages: Iterable[Page]) -> Iterator[bytes]:
    for page in pages:
        yield b"".join(
            stored_event_view(event, send).model_dump_json(by_alias=True).encode() + b"\n" for event, send in page
        )


def _csv(pages: Iterable[Page]) -> Iterator[bytes]:
    yield _csv_lines([_COLUMNS])
    for page in pages:
        yield _csv_lines(_cells(event, send) for event, send in page)


def _csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    # Every text in quotes: where a semicolon parts cells, an unquoted one would begin a cell of its own.
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    """A text that a spreadsheet does not take for a formula; numbers are ours, and stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _cells(event: Event, send: SendRow | None) -> list[object]:
    """In the order of `_COLUMNS`."""
    link, client, place, verdict = event.link, event.client, event.location, event.verdict
    return [
        str(event.event_id),
        str(event.event),
        str(event.outcome or ""),
        event.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        str(event.send_id or ""),
        send.send_key if send else "",
        str(send.sending_profile_id) if send else "",
        send.recipient_email_address if send else "",
        "; ".join(send.tags) if send else "",
        link.index if link else "",
        link.name if link else "",
        link.url if link else "",
        link.part if link else "",
        client.browser,
        client.browser_version,
        str(client.image_proxy or ""),
        client.os,
        client.os_version,
        client.device,
        str(client.device_type) if event.outcome else "",
        place.country,
        place.region,
        place.city,
        "" if place.latitude is None else place.latitude,
        "" if place.longitude is None else place.longitude,
        place.time_zone,
        event.client_address,
        event.user_agent,
        str(verdict.verdict_class) if verdict else "",
        str(verdict.final).lower() if verdict else "",
        verdict.score if verdict else "",
        "; ".join(verdict.reasons) if verdict else "",
        event.detail,
    ]
