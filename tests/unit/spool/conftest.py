import errno
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from waypost.events.hit import Hit, HitKind, Outcome
from waypost.spool.counters import Counters
from waypost.spool.files import Files
from waypost.spool.segments import SegmentWriter

AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        """Never the same millisecond twice, so that segment ids sort by age."""
        self.looks += 1
        return AT + timedelta(milliseconds=self.looks)


class FailingFiles(Files):
    """The real file system, with chosen calls failing: `fail["sync"] = errno.EIO`.

    A failing write first writes `torn` bytes, as a full disk does. Nothing is really synced: that takes a disk's time,
    and no test could tell.
    """

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.torn = 0
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise OSError(self.fail[name], errno.errorcode[self.fail[name]])

    def make_directory(self, path: Path) -> None:
        self._call("make_directory")
        super().make_directory(path)

    def create(self, path: Path) -> int:
        self._call("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> int:
        if "write" in self.fail and self.torn:
            taken, self.torn = super().write(descriptor, data[: self.torn]), 0
            return taken
        self._call("write")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:  # noqa: ARG002 -- the seam's signature
        self._call("sync")

    def truncate(self, descriptor: int, length: int) -> None:
        self._call("truncate")
        super().truncate(descriptor, length)

    def rename(self, old: Path, new: Path) -> None:
        self._call("rename")
        super().rename(old, new)

    def sync_directory(self, path: Path) -> None:  # noqa: ARG002 -- the seam's signature
        self._call("sync_directory")

    def unlink(self, path: Path) -> None:
        self._call("unlink")
        super().unlink(path)

    def read(self, path: Path) -> bytes:
        self._call("read")
        return super().read(path)


@pytest.fixture
def make_hit() -> Callable[[int], Hit]:
    def make(number: int) -> Hit:
        return Hit(
            event_id=UUID(int=number),
            occurred_at=AT,
            edge="edge-0",
            kind=HitKind.CLICK,
            outcome=Outcome.ANSWERED,
            account=7,
            profile=8,
            link_index=number,
            destination=f"https://example.com/{number}",
            link_domain="links.example.com",
            client_address="192.0.2.1",
            headers={"user-agent": "Mozilla/5.0"},
        )

    return make


@pytest.fixture
def files() -> FailingFiles:
    return FailingFiles()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "edge-0"


@pytest.fixture
def counters() -> Counters:
    return Counters.in_memory()


@pytest.fixture
def make_writer(spool: Path, files: FailingFiles, counters: Counters, clock: Clock) -> Callable[..., SegmentWriter]:
    def make(
        own: Counters | None = None,
        *,
        sync: bool = True,
        segment_bytes: int = 1_000_000,
        max_bytes: int = 0,
        prepared: bool = True,
    ) -> SegmentWriter:
        writer = SegmentWriter(
            spool,
            "edge-0",
            counters if own is None else own,
            sync=sync,
            segment_bytes=segment_bytes,
            segment_seconds=1.0,
            max_bytes=max_bytes,
            files=files,
            monotonic=clock,
            now=clock.now,
        )
        if prepared:
            writer.prepare()
        return writer

    return make
