"""Windows of time in which more differs than one person can make differ."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")


def crowded(
    items: Sequence[T], times: Sequence[float], values: Sequence[Hashable], *, seconds: float, limit: int
) -> list[T]:
    """Those of `items` that lie in a window of time with `limit` or more different values.

    Args:
        items: in order of time.
        times: when each was, in seconds.
        values: what is counted of each, once per value.
        seconds: length of a window, ends included.
        limit: values that make it crowded.
    """
    found: list[T] = []
    if len(items) < limit:
        return found
    inside: dict[Hashable, int] = {}
    first = next_to_find = 0
    for position, value in enumerate(values):
        inside[value] = inside.get(value, 0) + 1
        while times[position] - times[first] > seconds:
            gone = values[first]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        if len(inside) >= limit:
            found += items[max(first, next_to_find) : position + 1]
            next_to_find = position + 1
    return found
