"""Webhook endpoints of an account, what they are told, and what came of it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from waypost.control.context import Control
from waypost.control.errors import ConflictError, InvalidFieldError, NotFoundError
from waypost.control.webhooks.schema import SUBSCRIBABLE, ChangedEndpoint, NewEndpoint, ReplayedPeriod
from waypost.db.states import EndpointState, NoticeState, WebhookFormat
from waypost.db.tables import Account, WebhookAttempt, WebhookEndpoint, WebhookNotice
from waypost.db.webhook_secrets import WebhookSecret, seal_webhook_secret
from waypost.events.notice import NoticeType
from waypost.webhooks.errors import TargetError
from waypost.webhooks.postmark import POSTMARK_TYPES
from waypost.webhooks.queue import replay, replay_failed, test_notice
from waypost.webhooks.signing import SECRET_BYTES, secret_text
from waypost.webhooks.target import Target, private_networks, read_target

MAX_ENDPOINTS: Final = 20
"""Each event is noted for each of them."""

Message = tuple[WebhookNotice, list[WebhookAttempt]]


def create_endpoint(control: Control, account: Account, new: NewEndpoint) -> tuple[WebhookEndpoint, str]:
    """Create an endpoint; returns it with its secret.

    Raises:
        InvalidFieldError: no webhook may go to this URL, or the format has no words for some of the events.
        ConflictError: the account has as many as it may.
    """
    target, now = _target(control, new.url), control.sources.now()
    events = new.events if new.events is not None else _all_of(new.format)
    _check_events(new.format, events)
    endpoint_id, secret = control.sources.public_id(), _new_secret(control)
    endpoint = WebhookEndpoint(
        public_id=endpoint_id,
        account=account.number,
        url=target.url,
        sealed_credentials=_sealed_credentials(control, endpoint_id, target),
        description=new.description,
        events=[str(each) for each in events],
        format=new.format,
        timing=new.when,
        sealed_secret=seal_webhook_secret(control.control_key, WebhookSecret.SIGNING, endpoint_id, secret),
        created_at=now,
        modified_at=now,
    )
    with control.database.writing() as session:
        # One at a time, so that each counts those before it; this lock holds up nobody who sends.
        session.execute(select(Account.number).where(Account.number == account.number).with_for_update(key_share=True))
        theirs = select(func.count()).where(WebhookEndpoint.account == account.number)
        if (session.scalar(theirs) or 0) >= MAX_ENDPOINTS:
            raise ConflictError(f"an account has at most {MAX_ENDPOINTS} webhook endpoints: delete one first")
        session.add(endpoint)
    return endpoint, secret


def list_endpoints(control: Control, account: Account) -> Sequence[WebhookEndpoint]:
    """An account's endpoints, oldest first."""
    theirs = select(WebhookEndpoint).where(WebhookEndpoint.account == account.number).order_by(WebhookEndpoint.number)
    with control.database.reading() as session:
        return session.scalars(theirs).all()


def find_endpoint(control: Control, account: Account, endpoint_id: UUID) -> WebhookEndpoint:
    """An endpoint of the account.

    Raises:
        NotFoundError: none of this id, or another account's.
    """
    with control.database.reading() as session:
        return _find(session, account, endpoint_id)


def change_endpoint(control: Control, account: Account, endpoint_id: UUID, new: ChangedEndpoint) -> WebhookEndpoint:
    """Change what is given.

    Raises:
        NotFoundError: as `find_endpoint`.
        InvalidFieldError: as `create_endpoint`.
    """
    target = None if new.url is None else _target(control, new.url)
    with control.database.writing() as session:
        endpoint = _find(session, account, endpoint_id, writing=True)
        if target is not None:
            endpoint.url = target.url
            endpoint.sealed_credentials = _sealed_credentials(control, endpoint_id, target)
        if new.events is not None:
            _check_events(endpoint.format, new.events)
            endpoint.events = [str(each) for each in new.events]
        if new.description is not None:
            endpoint.description = new.description
        if new.when is not None:
            endpoint.timing = new.when
        if new.state is not None and new.state is not endpoint.state:
            disabled = new.state is EndpointState.DISABLED
            endpoint.state, endpoint.disabled_reason = new.state, None
            endpoint.disabled_at = control.sources.now() if disabled else None
            endpoint.failing_since = None
        endpoint.modified_at = control.sources.now()
    return endpoint


def delete_endpoint(control: Control, account: Account, endpoint_id: UUID) -> None:
    """Delete an endpoint with all it was, and was to be, told.

    Raises:
        NotFoundError: as `find_endpoint`.
    """
    with control.database.writing() as session:
        session.delete(_find(session, account, endpoint_id, writing=True))


def rotate_secret(
    control: Control, account: Account, endpoint_id: UUID, overlap_seconds: int
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; the one before signs as well for so long. Returns the new one.

    Raises:
        NotFoundError: as `find_endpoint`.
    """
    secret, now = _new_secret(control), control.sources.now()
    with control.database.writing() as session:
        endpoint = _find(session, account, endpoint_id, writing=True)
        endpoint.sealed_previous_secret = endpoint.sealed_secret if overlap_seconds else None
        endpoint.previous_secret_until = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None
        endpoint.sealed_secret = seal_webhook_secret(
            control.control_key, WebhookSecret.SIGNING, endpoint.public_id, secret
        )
        endpoint.modified_at = now
    return endpoint, secret


def send_test(control: Control, account: Account, endpoint_id: UUID) -> Message:
    """Have a test sent.

    Raises:
        NotFoundError: as `find_endpoint`.
        ConflictError: the endpoint is disabled.
    """
    with control.database.writing() as session:
        endpoint = _enabled(session, account, endpoint_id)
        notice = test_notice(endpoint, control.sources.public_id(), control.sources.now())
        session.add(notice)
    return notice, []


def list_messages(
    control: Control,
    account: Account,
    endpoint_id: UUID,
    *,
    state: NoticeState | None,
    before: int | None,
    limit: int,
) -> Sequence[Message]:
    """What an endpoint was told of late, newest first.

    Args:
        control: the parts behind the API.
        account: whose it must be.
        endpoint_id: which endpoint.
        state: only messages in it; None: all.
        before: only messages noted before the one of this number; None: all.
        limit: at most so many.

    Raises:
        NotFoundError: as `find_endpoint`.
    """
    with control.database.reading() as session:
        endpoint = _find(session, account, endpoint_id)
        wanted = select(WebhookNotice).where(WebhookNotice.endpoint == endpoint.number)
        if state is not None:
            wanted = wanted.where(WebhookNotice.state == state)
        if before is not None:
            wanted = wanted.where(WebhookNotice.number < before)
        notices = session.scalars(wanted.order_by(WebhookNotice.number.desc()).limit(limit)).all()
        return _with_attempts(session, notices)


def find_message(control: Control, account: Account, endpoint_id: UUID, message_id: UUID) -> Message:
    """A message to an endpoint, with every attempt.

    Raises:
        NotFoundError: no such endpoint, or nothing of this id is kept.
    """
    with control.database.reading() as session:
        notice = _notice(session, _find(session, account, endpoint_id), message_id)
        return _with_attempts(session, [notice])[0]


def replay_message(control: Control, account: Account, endpoint_id: UUID, message_id: UUID) -> Message:
    """Send a message again, under the same `webhook-id`, with all its retries.

    Raises:
        NotFoundError: as `find_message`.
        ConflictError: the endpoint is disabled, or the message is on its way as it is.
    """
    with control.database.writing() as session:
        notice = _notice(session, _enabled(session, account, endpoint_id), message_id)
        if not replay(session, notice.number, control.sources.now()):
            raise ConflictError("the message is still on its way: it is tried again without being asked for")
    return find_message(control, account, endpoint_id, message_id)


def replay_period(control: Control, account: Account, endpoint_id: UUID, period: ReplayedPeriod) -> int:
    """Send again what was given up, of what happened in a period; returns how many messages, `REPLAYED_MAX` at most.

    Raises:
        NotFoundError: as `find_endpoint`.
        InvalidFieldError: the period ends before it begins.
        ConflictError: the endpoint is disabled.
    """
    now = control.sources.now()
    first = datetime.fromtimestamp(period.from_utc, UTC)
    end = now if period.to_utc is None else datetime.fromtimestamp(period.to_utc, UTC)
    if end <= first:
        raise InvalidFieldError("to_utc", "must be later than from_utc")
    with control.database.writing() as session:
        return replay_failed(session, _enabled(session, account, endpoint_id).number, first, end, now)


def _find(session: Session, account: Account, endpoint_id: UUID, *, writing: bool = False) -> WebhookEndpoint:
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.public_id == endpoint_id, WebhookEndpoint.account == account.number
    )
    endpoint = session.scalars(wanted.with_for_update() if writing else wanted).one_or_none()
    if endpoint is None:
        raise NotFoundError("webhook endpoint")
    return endpoint


def _enabled(session: Session, account: Account, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = _find(session, account, endpoint_id, writing=True)
    if endpoint.state is not EndpointState.ENABLED:
        raise ConflictError("the webhook endpoint is disabled: enable it first")
    return endpoint


def _notice(session: Session, endpoint: WebhookEndpoint, message_id: UUID) -> WebhookNotice:
    wanted = select(WebhookNotice).where(
        WebhookNotice.endpoint == endpoint.number, WebhookNotice.message_id == message_id
    )
    notice = session.scalars(wanted).one_or_none()
    if notice is None:
        raise NotFoundError("message: they are kept for some days only")
    return notice


def _with_attempts(session: Session, notices: Sequence[WebhookNotice]) -> list[Message]:
    attempts = (
        select(WebhookAttempt)
        .where(WebhookAttempt.notice.in_([notice.number for notice in notices]))
        .order_by(WebhookAttempt.number)
    )
    found: defaultdict[int, list[WebhookAttempt]] = defaultdict(list)
    for attempt in session.scalars(attempts):
        found[attempt.notice].append(attempt)
    return [(notice, found[notice.number]) for notice in notices]


def _target(control: Control, url: str) -> Target:
    try:
        return read_target(url, private_networks(control.settings))
    except TargetError as error:
        raise InvalidFieldError("url", error.rule) from error


def _all_of(format_: WebhookFormat) -> list[NoticeType]:
    return [each for each in SUBSCRIBABLE if format_ is WebhookFormat.WAYPOST or each in POSTMARK_TYPES]


def _check_events(format_: WebhookFormat, events: Sequence[NoticeType]) -> None:
    if format_ is WebhookFormat.POSTMARK and (foreign := [each for each in events if each not in POSTMARK_TYPES]):
        raise InvalidFieldError("events", f"must be of those that Postmark has, and {foreign[0]} is not")


def _sealed_credentials(control: Control, endpoint_id: UUID, target: Target) -> bytes | None:
    if not target.credentials:
        return None
    return seal_webhook_secret(control.control_key, WebhookSecret.CREDENTIALS, endpoint_id, target.credentials)


def _new_secret(control: Control) -> str:
    return secret_text(control.sources.random_bytes(SECRET_BYTES))
