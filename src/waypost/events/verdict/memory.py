"""What was found out about a send's visitors in earlier bursts, and rules about it."""

from typing import Final

from waypost.events.verdict.seen import Seen

# Less is one visit with a pause.
RETURNED_SECONDS: Final = 600


class Memory:
    """Of one send, its bursts in order of time."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        self._people: dict[tuple[str, str, str], float] = {}
        self._machines: set[tuple[str, ...]] = set()

    def __bool__(self) -> bool:
        """Whether anybody was there."""
        return bool(self._people or self._machines)

    def person(self, seen: Seen) -> None:
        """A person was there; the first time counts."""
        if seen.network:
            self._people.setdefault(_place(seen), seen.seconds)

    def machine(self, seen: Seen) -> None:
        """A machine was there."""
        if seen.network:
            self._machines.add(seen.visitor)

    def returned(self, seen: Seen) -> bool:
        """A person was in this network with this browser at least ten minutes before."""
        first = self._people.get(_place(seen)) if self._people else None
        return first is not None and seen.seconds - first >= RETURNED_SECONDS

    def seen_scanning(self, seen: Seen) -> bool:
        """A machine was this visitor before."""
        return seen.visitor in self._machines


def _place(seen: Seen) -> tuple[str, str, str]:
    client = seen.evidence.client
    return seen.network, client.browser, client.os
