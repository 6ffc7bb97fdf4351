"""What webhooks tell: events exactly as `GET /email/send/:id/events` has them."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from waypost.control.context import EventReader
from waypost.control.sends.events import event_views
from waypost.control.sends.service import FoundSend
from waypost.db import Database
from waypost.db.tables import Profile, Send
from waypost.webhooks.dispatch import EventsOf


def event_reader(database: Database, store: EventReader) -> EventsOf:
    """Reads the events of a send of an account, by their ids; none when the send is not kept any more."""

    def events_of(account: int, send_id: UUID) -> dict[UUID, dict[str, Any]]:
        wanted = (
            select(Send, Profile.public_id)
            .join(Profile, Profile.number == Send.profile)
            .where(Send.send_id == send_id, Send.account == account)
        )
        with database.reading() as session:
            row = session.execute(wanted).one_or_none()
        if row is None:
            return {}
        found = FoundSend(*row)
        views = event_views(found, store.send_events(account, send_id))
        return {view.event_id: view.model_dump(mode="json", by_alias=True) for view in views}

    return events_of
