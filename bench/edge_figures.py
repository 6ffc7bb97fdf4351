"""Figures of several rounds: medians, the ratio to a reference of the same round, and quantiles."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratios(values: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Of each round to the reference's figure in the same round, which had the same neighbours."""
    return spread([value / other for value, other in zip(values, reference, strict=True)])


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of them do not exceed; no value is made up between two."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of latencies."""
    ordered = sorted(values)
    return {name: quantile(ordered, part) for name, part in QUANTILES.items()} | {"max": ordered[-1]}
