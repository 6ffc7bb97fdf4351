"""What several threads ask for at the same time, done at once: a group commit, for any work."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

Asked = TypeVar("Asked")
Done = TypeVar("Done")


@dataclass(slots=True)
class _Turn(Generic[Asked, Done]):
    """One thread's place in the queue."""

    asked: Asked
    outcome: Done | BaseException | None = None
    done: bool = False
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when there is an outcome, or when this thread is to lead the next round."""


class Together(Generic[Asked, Done]):
    """Does in one round all that was asked for while the round before was under way.

    A thread that comes when there is none leads one at once, so who is alone waits for nobody; the more come at the
    same time, the more share what a round costs. Safe to share between threads: that is what it is for.

    Args:
        act: does a round: an outcome or an exception for each that was asked, in order. What it raises is everybody's.
        most: how many a round may have.
    """

    def __init__(self, act: Callable[[Sequence[Asked]], Sequence[Done | Exception]], most: int) -> None:
        self._act = act
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Turn[Asked, Done]] = deque()
        self._led = False

    def do(self, asked: Asked) -> Done:
        """Have it done; raises what came of it instead."""
        turn: _Turn[Asked, Done] = _Turn(asked)
        with self._lock:
            # Whoever leads is the first of those who wait, and so in the round.
            self._waiting.append(turn)
            leads, self._led = not self._led, True
        if not leads:
            turn.woken.wait()
        if not turn.done:
            self._lead()
        if isinstance(turn.outcome, BaseException):
            raise turn.outcome
        return cast("Done", turn.outcome)

    def _lead(self) -> None:
        """Do a round, then hand over to the first of those who came meanwhile."""
        with self._lock:
            turns = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        outcomes: Sequence[Done | BaseException]
        try:
            outcomes = self._act([turn.asked for turn in turns])
        except BaseException as error:  # noqa: BLE001 - raised in every thread that asked: none may wait for ever
            outcomes = [error] * len(turns)
        with self._lock:
            self._led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()
        for turn, outcome in zip(turns, outcomes, strict=True):
            turn.outcome, turn.done = outcome, True
            turn.woken.set()
