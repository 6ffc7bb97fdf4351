"""What is shown of sends, and of what was just taken in."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from waypost.control.context import Control
from waypost.control.errors import Code
from waypost.control.links.schema import RewriteReport
from waypost.control.oauth.service import Principal
from waypost.control.responses import ErrorBody
from waypost.control.sends.acceptance import Taken
from waypost.control.sends.recipients import RefusedRecipient
from waypost.control.sends.schema import (
    BatchRecipient,
    BatchView,
    ClicksView,
    CopyKind,
    CopyView,
    DeliveryView,
    NewRecipient,
    NewSend,
    SendView,
)
from waypost.control.sends.service import FoundSend, find_clicks
from waypost.control.times import unix_seconds
from waypost.db.states import PrivacyMode
from waypost.db.tables import Delivery, Send
from waypost.links.token import IpPolicy
from waypost.store.rows import Clicks

_COLUMNS = Send.__table__.columns.keys()
_SHOWN_AS_THEY_ARE = [
    name for name in _COLUMNS if name in SendView.model_fields and name not in {"privacy_mode", "ip_policy"}
]


def send_views(control: Control, principal: Principal, found: Sequence[FoundSend]) -> list[SendView]:
    """With the clicks of all of them, unless the event store cannot say at once."""
    clicks = find_clicks(control, principal, [each.send.send_id for each in found])
    return [_view(each, None if clicks is None else _clicks(clicks.get(each.send.send_id))) for each in found]


def _clicks(clicks: Clicks | None) -> ClicksView:
    if clicks is None:
        return ClicksView(total=0, human=0, machine=0, unknown=0, first_at_utc=None, first_human_at_utc=None)
    return ClicksView(
        total=clicks.total,
        human=clicks.human,
        machine=clicks.machine,
        unknown=clicks.total - clicks.human - clicks.machine,
        first_at_utc=unix_seconds(clicks.first_at),
        first_human_at_utc=unix_seconds(clicks.first_human_at) if clicks.first_human_at else None,
    )


def _view(found: FoundSend, clicks: ClicksView | None = None) -> SendView:
    send = found.send
    return _view_of(
        {column: getattr(send, column) for column in _COLUMNS},
        found.sending_profile_id,
        found.link_report,
        delivery=_delivery(found.postponed) if found.postponed else None,
        clicks=clicks,
    )


def _view_of(
    row: Mapping[str, Any],
    sending_profile_id: UUID,
    link_report: dict[str, Any] | None,
    delivery: DeliveryView | None = None,
    clicks: ClicksView | None = None,
) -> SendView:
    """What is shown of a send, given the values of its row."""
    return SendView(
        **{name: row[name] for name in _SHOWN_AS_THEY_ARE},
        sending_profile_id=sending_profile_id,
        state_category=row["state"],
        created_at_utc=unix_seconds(row["created_at"]),
        modified_at_utc=unix_seconds(row["modified_at"]),
        delivery=delivery,
        clicks=clicks,
        # A release before this one wrote neither.
        privacy_mode=row["privacy_mode"] or PrivacyMode.IDENTIFIED,
        ip_policy=row["ip_policy"] or IpPolicy.FULL,
        # Of a batch, the report is that of those who may be tracked.
        link_report=None if row["privacy_mode"] is PrivacyMode.OFF else _report(link_report),
        content_expired=row["content_id"] is None,
    )


def _report(report: dict[str, Any] | None) -> RewriteReport | None:
    return RewriteReport.model_validate(report) if report else None


def accepted_view(asked: NewSend, taken: Taken) -> SendView:
    """The answer to a send."""
    row, *copied = taken.sends
    view = _view_of(row, taken.sender.sending_profile_id, taken.report)
    kinds = [CopyKind.CC] * len(asked.cc or ()) + [CopyKind.BCC] * len(asked.bcc or ())
    copies = [
        CopyView(
            kind=kind,
            recipient_email_address=copy["recipient_email_address"],
            send_id=copy["send_id"],
            send_key=copy["send_key"],
        )
        for kind, copy in zip(kinds, copied, strict=True)
    ]
    return view.model_copy(update={"copies": copies or None})


def batch_view(recipients: Sequence[NewRecipient | RefusedRecipient], taken: Taken) -> BatchView:
    """The answer to a batch: what became of each of `recipients`, of which those that are right were taken."""
    sends = iter(taken.sends)
    return BatchView(
        sending_profile_id=taken.sender.sending_profile_id,
        accepted=len(taken.sends),
        refused=len(recipients) - len(taken.sends),
        recipients=[
            _of_batch(index, next(sends) if isinstance(each, NewRecipient) else each)
            for index, each in enumerate(recipients)
        ],
        link_report=_report(taken.report),
        error=taken.error,
        created_at_utc=unix_seconds(taken.sends[0]["created_at"]),
    )


def _of_batch(index: int, became: Mapping[str, Any] | RefusedRecipient) -> BatchRecipient:
    if isinstance(became, RefusedRecipient):
        error = ErrorBody(code=Code.FIELD_INVALID, message=became.message)
        return BatchRecipient(index=index, recipient_email_address=became.address, state="refused", error=error)
    return BatchRecipient(
        index=index,
        recipient_email_address=became["recipient_email_address"],
        state="accepted",
        send_id=became["send_id"],
        send_key=became["send_key"],
    )


def _delivery(postponed: Delivery) -> DeliveryView:
    return DeliveryView(
        attempts=postponed.attempts,
        last_error=postponed.last_error or "",
        next_attempt_at_utc=unix_seconds(postponed.next_attempt_at),
    )
