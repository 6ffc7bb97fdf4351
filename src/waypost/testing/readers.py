"""A published simulation of who and what follows the links of a message: people, and machines that read their mail.

    for send in readers(seed=1, mailings=1000):
        ...

What is simulated is behaviour that others documented: `people.py`, `machines.py` and `browsers.py` say where from. One
seed gives one world. The rules of verdicts do not know it: `waypost.events` imports nothing from here, and they are
judged with seeds that nobody looked at before (`make bench-verdict`).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from waypost.testing import machines, people
from waypost.testing.draw import Draw
from waypost.testing.people import Recipients
from waypost.testing.visit import SimulatedSend, Visit, message

_EPOCH: Final = datetime(2026, 3, 30, 9, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)

Scenario = Callable[[Draw, Sequence[str]], Recipients]

# (scenario, share of mailings). Most have the same; what comes in crowds, and what nobody could tell, has less.
SCENARIOS: Final[tuple[tuple[Scenario, int], ...]] = (
    (people.slow, 80),
    (people.fast, 50),
    (people.returning, 50),
    (people.forwarding, 50),
    (people.office, 5),
    (people.private, 50),
    (people.cloud_desktop, 20),
    (people.old_devices, 30),
    (people.changing_lines, 50),
    (people.double_clicks, 50),
    (people.unsubscribing, 50),
    (machines.behind_a_gateway, 80),
    (machines.time_of_click, 80),
    (machines.antivirus, 30),
    (machines.sandbox, 50),
    (machines.slow_sandbox, 50),
    (machines.fleet, 50),
    (machines.probe, 40),
    (machines.unsubscriber, 50),
    (machines.head_checker, 30),
    (machines.second_look, 30),
    (machines.link_preview, 30),
    (machines.image_proxies, 30),
    (machines.uptime_monitor, 10),
    (machines.disguised, 5),
)


def readers(seed: int, mailings: int) -> Iterator[SimulatedSend]:
    """Mailings and what they bring about, each to one recipient or to many of one company.

    Args:
        seed: one world each.
        mailings: of all scenarios, by their shares.
    """
    draw = Draw(seed)
    scenarios = [scenario for scenario, _ in SCENARIOS]
    shares = [share for _, share in SCENARIOS]
    for number, scenario in enumerate(draw.rng.choices(scenarios, shares, k=mailings)):
        links = message(draw)
        for recipient, visits in enumerate(scenario(draw, links)):
            yield SimulatedSend(
                scenario=scenario.__name__,
                # Room for the ids of its hits below that of the send.
                send_id=UUID(int=seed << 96 | number << 64 | recipient << 32),
                delivered_at=_EPOCH + number * _HOUR,
                links=links,
                visits=tuple(sorted(visits, key=_at)),
            )


def _at(visit: Visit) -> float:
    return visit.at
