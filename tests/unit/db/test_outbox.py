"""What control and mail tell the event store survives the trip through JSON."""

import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from waypost.db.outbox import LinkRecord, SendEvent, SendRecord, fact_of, rows
from waypost.db.states import OutboxTopic, SendState

AT = datetime(2026, 3, 29, 1, 30, 15, 123456, UTC)
SEND_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

RECORD = SendRecord(
    send_id=SEND_ID,
    send_key="k" * 27,
    account=1,
    profile=2,
    sending_profile_id=UUID(int=3),
    recipient_email_address="ada@example.com",
    tags=["ü"],
    links=[LinkRecord(0), LinkRecord(1, "buy", "outlook")],
    created_at=AT,
)
EVENT = SendEvent(
    event_id=UUID(int=4), event=SendState.BOUNCE, occurred_at=AT, account=1, profile=2, send_id=SEND_ID, detail="550 no"
)


@pytest.mark.parametrize(("fact", "topic"), [(RECORD, OutboxTopic.SEND), (EVENT, OutboxTopic.SEND_EVENT)])
def test_a_fact_comes_back_from_its_row_as_it_was(fact, topic):
    [row] = rows([fact], AT)

    assert row.topic is topic
    assert fact_of(row.topic, json.loads(json.dumps(row.payload))) == fact


def test_rows_keep_the_order_of_the_facts():
    assert [row.topic for row in rows([RECORD, EVENT, EVENT], AT)] == ["send", "send_event", "send_event"]


def test_a_payload_of_another_shape_is_refused():
    with pytest.raises(msgspec.ValidationError):
        fact_of(OutboxTopic.SEND, {"send_id": "not a uuid"})
