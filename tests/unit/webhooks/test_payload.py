"""What is told, and that every type of event has its name here."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from waypost.control.sends.event_schema import EventLink, EventView
from waypost.events.name import EventName
from waypost.events.notice import NoticeType, Occurrence
from waypost.events.reclassified import Reclassified
from waypost.events.verdict import Verdict, VerdictClass
from waypost.webhooks import payload

AT = datetime(2026, 3, 5, 12, 0, 0, 123456, UTC)
DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"


def test_every_event_has_a_type_of_the_same_name():
    assert {name.value for name in EventName} == set(NoticeType) - {NoticeType.CLICK_RECLASSIFIED, NoticeType.TEST}


def test_a_message_is_the_event_with_its_type_and_time():
    body = payload.body(NoticeType.CLICK, AT, {"event": "click", "tags": ["grün"]})
    assert json.loads(body) == {
        "type": "click",
        "timestamp": "2026-03-05T12:00:00.123456Z",
        "data": {"event": "click", "tags": ["grün"]},
    }
    assert "grün".encode() in body


def reclassified(rules_version=1, before=VerdictClass.HUMAN):
    occurrence = Occurrence(1, UUID(int=2), UUID(int=3), NoticeType.CLICK, AT)
    verdict = Verdict(verdict_class=VerdictClass.MACHINE, score=80, reasons=(), final=True, rules_version=rules_version)
    return Reclassified(occurrence, before, verdict)


def test_a_changed_verdict_stands_beside_the_events_own_fields():
    body = payload.body(NoticeType.CLICK_RECLASSIFIED, AT, {"event": "click"}, reclassified().told)
    assert json.loads(body)["data"] == {
        "event": "click",
        "verdict": {"class": "machine", "final": True, "reasons": []},
        "previous_verdict": {"class": "human"},
    }


def test_the_same_change_has_the_same_id_and_another_one_another():
    ids = [reclassified(), reclassified(), reclassified(rules_version=2), reclassified(before=VerdictClass.UNKNOWN)]
    assert ids[0].message_id == ids[1].message_id
    assert len({each.message_id for each in ids} | {ids[0].occurrence.event_id}) == 4


def test_every_type_is_documented():
    document = DOCUMENT.read_text()
    assert [each.value for each in NoticeType if f"`{each}`" not in document] == []


def test_the_example_of_the_document_is_a_message_with_fields_that_events_have():
    example = json.loads(re.search("```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1])
    assert set(example["data"]) <= set(EventView.model_fields)
    assert set(example["data"]["link"]) == set(EventLink.model_fields)
    at = datetime.fromisoformat(example["timestamp"])
    assert json.loads(payload.body(NoticeType(example["type"]), at, example["data"])) == example
