"""Windows of time in which more differs than one person can make differ."""

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
    found: list[T] = []
    if len(items) < limit:
        return found
    inside: dict[Hashable, int] = {}
    first = next_to_find = 0
    for position, item in enumerate(items):
        value = what(item)
        inside[value] = inside.get(value, 0) + 1
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
