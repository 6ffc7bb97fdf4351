"""What becomes of a profile after a check: its next state, and when it is looked at again. No clock, no database."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from waypost.control.verification.findings import Verdict
from waypost.db.states import ProfileState

DISABLED_AFTER: Final = timedelta(hours=72)
"""SMTPD's: so long a profile may be `pending`."""

_CREATING, _PENDING, _ACTIVE, _DISABLED = (
    ProfileState.CREATING,
    ProfileState.PENDING,
    ProfileState.ACTIVE,
    ProfileState.DISABLED,
)

# What could not be seen changes nothing; what two servers did not agree on takes no working profile down.
TRANSITIONS: Final[Mapping[tuple[ProfileState, Verdict], ProfileState]] = MappingProxyType(
    {
        (_CREATING, Verdict.RIGHT): _ACTIVE,
        (_CREATING, Verdict.LOST): _CREATING,
        (_CREATING, Verdict.DOUBTFUL): _CREATING,
        (_CREATING, Verdict.UNKNOWN): _CREATING,
        (_ACTIVE, Verdict.RIGHT): _ACTIVE,
        (_ACTIVE, Verdict.LOST): _PENDING,
        (_ACTIVE, Verdict.DOUBTFUL): _ACTIVE,
        (_ACTIVE, Verdict.UNKNOWN): _ACTIVE,
        (_PENDING, Verdict.RIGHT): _ACTIVE,
        (_PENDING, Verdict.LOST): _PENDING,
        (_PENDING, Verdict.DOUBTFUL): _PENDING,
        (_PENDING, Verdict.UNKNOWN): _PENDING,
        (_DISABLED, Verdict.RIGHT): _ACTIVE,
        (_DISABLED, Verdict.LOST): _DISABLED,
        (_DISABLED, Verdict.DOUBTFUL): _DISABLED,
        (_DISABLED, Verdict.UNKNOWN): _DISABLED,
    }
)


def next_state(state: ProfileState, verdict: Verdict, lost_at: datetime | None, now: datetime) -> ProfileState:
    """The state after a check.

    Args:
        state: before it.
        verdict: its outcome.
        lost_at: since when the profile is `pending`; None when it is not.
        now: of the check.
    """
    after = TRANSITIONS[state, verdict]
    seen_missing = verdict in {Verdict.LOST, Verdict.DOUBTFUL}
    overdue = lost_at is not None and now - lost_at >= DISABLED_AFTER
    # Not while nothing can be seen: three days without DNS here would disable everybody.
    return _DISABLED if after is _PENDING and seen_missing and overdue else after


# Soonest, and latest.
_BETWEEN: Final[Mapping[ProfileState, tuple[timedelta, timedelta]]] = MappingProxyType(
    {
        # Somebody waits for it, records in hand; later on a check an hour costs little, and she may come back.
        _CREATING: (timedelta(seconds=15), timedelta(hours=1)),
        # Mail is held: it is to go out soon after the record is back.
        _PENDING: (timedelta(seconds=15), timedelta(minutes=15)),
        # Most records are cached for an hour: who looked oftener would know before the world does.
        _ACTIVE: (timedelta(hours=1), timedelta(hours=1)),
        _DISABLED: (timedelta(seconds=15), timedelta(days=1)),
    }
)
_DOUBTFUL: Final = timedelta(minutes=5)
"""For an active profile of which something was not as it should be: it is settled soon, one way or the other."""
_GROWTH: Final = 0.25
"""Of the time waited so far: the delay is never noticed, and a day of waiting is some thirty checks."""
_CERTIFICATE_SOONEST: Final = timedelta(seconds=30)
_CERTIFICATE_GROWTH: Final = 2.0
"""Each visit without a certificate has the front order one; Let's Encrypt takes five failed orders an hour."""
_JITTER: Final = 0.2
"""Either way, so that profiles made or lost together are not checked together for ever."""


def next_delay(
    state: ProfileState, verdict: Verdict, *, waited: timedelta, uncertified: timedelta | None, chance: float
) -> timedelta:
    """How long until the next check.

    Args:
        state: after this one.
        verdict: of this one.
        waited: since somebody began to wait for a result: creation, request, loss.
        uncertified: since the link domain was told to edges, when nothing but its certificate is missing; else None.
        chance: from 0 to 1.
    """
    soonest, latest = _BETWEEN[state]
    if uncertified is not None:
        soonest, growing = _CERTIFICATE_SOONEST, uncertified * _CERTIFICATE_GROWTH
        latest = max(latest, soonest)
    elif state is _ACTIVE and verdict is not Verdict.RIGHT:
        soonest, latest, growing = _DOUBTFUL, _DOUBTFUL, _DOUBTFUL
    else:
        growing = waited * _GROWTH
    delay = min(max(growing, soonest), latest)
    return delay * (1 + _JITTER * (2 * chance - 1))
