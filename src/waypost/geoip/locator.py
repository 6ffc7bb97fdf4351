"""From recorded addresses to locations, with the newest databases there are."""

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from waypost.events.location import UNKNOWN, Location, joined
from waypost.geoip.address import block_of
from waypost.geoip.database import Database
from waypost.geoip.errors import DatabaseUnusable
from waypost.geoip.state import DatabaseState
from waypost.keyfile.file import file_stamp

# An address whose place others share takes 0.2 kilobytes, one with a place of its own 0.5: 13 to 33 MB when full.
_CACHE_ENTRIES: Final = 65_536
# Places that addresses met next can share. They are let go all at once: one that is met again is then a second object.
_SHARED_MAX: Final = 16_384

log = logging.getLogger(__name__)


class Locator:
    """Reads databases of places, and reads them again when their files change. For one thread.

    A new file is opened before the old one is let go; one that cannot be used changes nothing, and is said. One that
    could not be read is tried again at the next look, whether it changes or not.

    Args:
        paths: of the databases; of two that know of an address, the first one counts.
        on_change: told what is in use, at the first look and when it changes.
    """

    def __init__(
        self, paths: Sequence[Path], on_change: Callable[[list[DatabaseState]], None] = lambda _: None
    ) -> None:
        self._watched = [_Watched(path) for path in paths]
        self._on_change = on_change
        self._state: list[DatabaseState] | None = None
        self._forget()

    @property
    def is_ready(self) -> bool:
        """Whether there is any database."""
        return any(each.database for each in self._watched)

    def look(self) -> int:
        """Take new and changed files; returns how many. Before the first look there is no database.

        Raises:
            Exception: as `on_change` does; what is in use is in use all the same.
        """
        changed = 0
        for each in self._watched:
            if each.look():
                self._forget()  # now, for to look at the next one may fail
                changed += 1
        state = [each.state() for each in self._watched]
        if state != self._state:
            self._on_change(state)
            self._state = state
        return changed

    def locate(self, address: str) -> Location:
        """As `locate_all`, of one address."""
        return self.locate_all([address])[0]

    def locate_all(self, addresses: Sequence[str]) -> list[Location]:
        """Where recorded addresses are, in their order; unknown when no database says it. A place is mostly one object.

        Raises:
            maxminddb.InvalidDatabaseError: a database is damaged.
        """
        found = list(map(self._located.get, addresses))
        new = {address for address, location in zip(addresses, found, strict=True) if location is None}
        looked_up = self._looked_up(new) if new else {}
        if len(self._located) + len(new) > _CACHE_ENTRIES:
            self._located.clear()
        self._located |= looked_up
        return [location or looked_up[address] for address, location in zip(addresses, found, strict=True)]

    def _forget(self) -> None:
        self._located: dict[str, Location] = {}
        self._shared: dict[Location, Location] = {}

    def _looked_up(self, addresses: Collection[str]) -> dict[str, Location]:
        found = dict.fromkeys(addresses, UNKNOWN)
        blocks = [block for address in addresses if (block := block_of(address))]
        by_database = [each.database.locate(blocks) for each in self._watched if each.database]
        # By identity first, which costs less: a database says the same with the same object.
        known: dict[tuple[int, ...], Location] = {}
        for block, *said in zip(blocks, *by_database, strict=True):
            key = tuple(map(id, said))
            location = known.get(key)
            if location is None:
                location = known[key] = self._together(said)
            found[block.address] = location
        return found

    def _together(self, said: list[Location]) -> Location:
        location = joined(said)
        if len(self._shared) >= _SHARED_MAX:
            self._shared.clear()
        return self._shared.setdefault(location, location)


class _Watched:
    """One file, and the database that was opened from it last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._problem = ""
        self.database: Database | None = None

    def look(self) -> bool:
        stamp = file_stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            database = Database(self._path)
            database.check()
        except DatabaseUnusable as error:
            if isinstance(error.__cause__, OSError):
                self._stamp = None
            if error.reason != self._problem:
                log.error("%s%s", error, ": the one before stays in use" if self.database else "")  # noqa: TRY400 -- it says it all
            self._problem = error.reason
            return False
        if self.database:
            log.info("%s was read again: %s of %s", self._path, database.about.kind, database.about.built_at.date())
        # The old one is not closed by hand: whoever still asks it has it.
        self.database, self._problem = database, ""
        return True

    def state(self) -> DatabaseState:
        about = self.database.about if self.database else None
        return DatabaseState(
            path=str(self._path),
            kind=about.kind if about else "",
            built_at=about.built_at if about else None,
            problem=self._problem or ("" if about else "it is not there"),
        )
