"""The documented bursts of tests/vectors/verdict: what they hold, and what the rules say of them."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict import Evidence, SendFacts, Verdict, classify

VECTORS = Path(__file__).parents[3] / "vectors" / "verdict"
NAMES = sorted(path.stem for path in VECTORS.glob("*.json"))


@dataclass(frozen=True)
class Send:
    facts: SendFacts
    hits: list[Evidence]
    expected: dict[UUID, str]

    def verdicts(self, later: timedelta = timedelta(hours=1)) -> dict[UUID, Verdict]:
        return classify(self.hits, self.facts, max(hit.occurred_at for hit in self.hits) + later)


def read(name: str, parser: ClientParser) -> list[Send]:
    burst = json.loads((VECTORS / f"{name}.json").read_text())
    return [_send(number, send, burst["clients"], parser) for number, send in enumerate(burst["sends"])]


def _send(number: int, send: dict, clients: dict[str, dict[str, str]], parser: ClientParser) -> Send:
    delivered_at = datetime.fromisoformat(send["delivered_at"])
    hits, expected = [], {}
    for position, event in enumerate(send["events"]):
        headers = clients[event["client"]]
        event_id = UUID(int=number << 32 | position)
        expected[event_id] = event["expected"]
        hits.append(
            Evidence(
                event_id=event_id,
                kind=HitKind.CLICK,
                outcome=Outcome.ANSWERED,
                occurred_at=delivered_at + timedelta(seconds=event["at"]),
                link_index=event["link"],
                destination=send["links"][event["link"]],
                client_address=event["address"],
                headers=headers,
                client=parser.parse(HitKind.CLICK, headers),
                as_organisation=event.get("as_organisation", ""),
            )
        )
    return Send(SendFacts(delivered_at, len(send["links"])), hits, expected)
