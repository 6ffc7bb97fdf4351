"""That a verdict is not what it was, as a webhook tells it."""

from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct

from waypost.events.notice import NoticeType, Occurrence
from waypost.events.verdict import Verdict, VerdictClass


class Reclassified(Struct, frozen=True):
    """A click that is held for something else than it was."""

    occurrence: Occurrence
    before: VerdictClass
    verdict: Verdict

    @property
    def message_id(self) -> UUID:
        """The same for the same change by the same rules, however often it is told of."""
        change = f"{self.before} {self.verdict.verdict_class} {self.verdict.rules_version}"
        return uuid5(self.occurrence.event_id, f"{NoticeType.CLICK_RECLASSIFIED} {change}")

    @property
    def told(self) -> dict[str, Any]:
        """What stands in the message beside the event's own fields."""
        return {
            "verdict": {
                "class": self.verdict.verdict_class,
                "final": self.verdict.final,
                "reasons": [str(reason) for reason in self.verdict.reasons],
            },
            "previous_verdict": {"class": self.before},
        }
