"""Windows of time in which more differs than one person can make differ."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")


def crowded(
    items: Sequence[T], when: Callable[[T], float], what: Callable[[T], Hashable], *, seconds: float, limit: int
) -> list[T]:
    """Those of `items` that lie in a window of time with `limit` or more different values of `what`.

    Args:
        items: in order of time.
        when: in seconds.
        what: is counted, once per value.
        seconds: length of a window, ends included.
        limit: values that make it crowded.
    """
    inside: Counter[Hashable] = Counter()
    found: list[T] = []
    first = next_to_find = 0
    for position, item in enumerate(items):
        inside[what(item)] += 1
        while when(item) - when(items[first]) > seconds:
            gone = what(items[first])
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        if len(inside) >= limit:
            found += items[max(first, next_to_find) : position + 1]
            next_to_find = position + 1
    return found
