"""What the agent knows of this machine, as one frozen value: taken by a thread, read by every answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waypost.fleet.snapshot import Snapshot
from waypost.geoip.state import State as GeoipState
from waypost.links.keyring import Keyring
from waypost.spool.conservation import Account
from waypost.spool.counters import Seen, WorkerStatus


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker, known by the files it maps into memory."""

    name: str
    expected: bool
    """It is to run here; false for one that an earlier setting had and that only left clicks behind."""
    status: WorkerStatus | None
    """None: it never ran."""
    seen: Mapping[Seen, int]
    account: Account


@dataclass(frozen=True, slots=True)
class Shipping:
    """How the hand-over of segments to a core elsewhere goes."""

    segments: int = 0
    """Handed over since the agent started."""
    records: int = 0
    failures: int = 0
    """Attempts since the agent started."""
    waiting: tuple[str, ...] = ()
    """Why segments that the core does not take stay here, in words; each reason once."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The core on another machine, as seen from here."""

    url: str
    contact_at: float | None = None
    """Seconds since 1970, when it last answered as it should; None: not since the agent started."""
    failure: str = ""
    """Why it did not, last time; empty when it did."""
    failures: int = 0
    keyring_refused: str = ""
    """Why its keyring is not taken; empty when it is."""
    snapshot_refused: str = ""
    shipping: Shipping = field(default_factory=Shipping)


@dataclass(frozen=True, slots=True)
class View:
    """Everything, at one moment."""

    at: float
    """Seconds since 1970."""
    workers: tuple[Worker, ...] = ()
    keyring: Keyring | None = None
    keyring_problem: str = ""
    """Why the keyring file cannot be used now, though an earlier one may still be in memory."""
    snapshot: Snapshot | None = None
    snapshot_problem: str = ""
    """Why the snapshot file is not used; empty when it is, or there is none."""
    spool_problem: str = ""
    """Why the spool could not be looked at."""
    geoip: GeoipState | None = None
    """What the core of this machine uses to say where readers are; None: no core has said it here."""
    geoip_problem: str = ""
    """Why that could not be read."""
