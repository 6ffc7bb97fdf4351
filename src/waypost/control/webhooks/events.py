"""What webhooks tell: events exactly as `GET /email/send/:id/events` has them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import select

from waypost.control.context import EventReader
from waypost.control.sends.events import event_view, sent_row
from waypost.control.sends.service import FoundSend
from waypost.db import Database
from waypost.db.tables import Profile, Send
from waypost.store.rows import EventKey
from waypost.webhooks.dispatch import EventsOf


def event_reader(database: Database, store: EventReader) -> EventsOf:
    """Reads events by account, send and event id; those whose send is not kept any more are left out."""

    def events_of(wanted: Collection[tuple[int, UUID, UUID]]) -> dict[UUID, dict[str, Any]]:
        keys = {EventKey(*each) for each in wanted}
        kept = (
            select(Send, Profile.public_id)
            .join(Profile, Profile.number == Send.profile)
            .where(Send.send_id.in_({key.send_id for key in keys}))
        )
        with database.reading() as session:
            sent = {
                (send.account, send.send_id): sent_row(FoundSend(send, profile))
                for send, profile in session.execute(kept)
            }
        keys = {key for key in keys if (key.account, key.send_id) in sent}
        if not keys:
            return {}
        chosen = store.chosen_events(keys)
        views = [
            event_view(sent[event.account, event.send_id], event, chosen.first_of_send, chosen.first_of_link)
            for event in chosen.events
            if event.send_id is not None
        ]
        return {view.event_id: view.model_dump(mode="json", by_alias=True) for view in views}

    return events_of
