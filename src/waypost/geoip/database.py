"""One file in the MaxMind DB format, mapped into memory: open it, know that it is what it should be, ask it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

import maxminddb
import msgspec
from msgspec import Struct

from waypost.events.location import UNKNOWN, Location, agreed, location_of
from waypost.geoip.address import Block
from waypost.geoip.errors import DatabaseUnusable
from waypost.geoip.tree import Tree

# A network that a database splits finer than this has no one place.
_SPLITS_MAX: Final = 16
# A place and the record that says it take about a kilobyte.
_READ_BEFORE_MAX: Final = 16_384
_ENCODER: Final = msgspec.msgpack.Encoder()
# So many records are looked at to see what a file holds.
_SAMPLE: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class About(Struct, frozen=True, kw_only=True):
    """What a database says of itself."""

    path: str
    kind: str
    """Its maker's name for it: `DBIP-City-Lite`."""
    description: str
    built_at: datetime
    size_bytes: int


class Database:
    """An open database. The file may be replaced by another one meanwhile, but not be written into."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            DatabaseUnusable: it is not there, cannot be read, is not in this format, or was built after the year 9999.
        """
        try:
            with path.open("rb") as file:
                mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
                # The same file by another way: `path` may lead to a newer one by now.
                self._reader = _opened(Path(f"/proc/self/fd/{file.fileno()}"))
            self._metadata = self._reader.metadata()
            built_at = _EPOCH + timedelta(seconds=self._metadata.build_epoch)
            self._tree = Tree(
                mapped,
                nodes=self._metadata.node_count,
                record_bits=self._metadata.record_size,
                ip_version=self._metadata.ip_version,
            )
        except FileNotFoundError as error:
            raise DatabaseUnusable(path, "it is not there") from error
        except OSError as error:
            raise DatabaseUnusable(path, str(error.strerror or error)) from error
        except OverflowError as error:
            seconds = self._metadata.build_epoch
            raise DatabaseUnusable(path, f"the time it was built at is none ({seconds} s after 1970)") from error
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise DatabaseUnusable(path, f"it is no database in the MaxMind DB format ({error})") from error
        self._path = path
        self._read_before: dict[bytes, Location] = {}
        self._by_leaf: dict[int, Location] = {}
        self._bits = 32 if self._metadata.ip_version == 4 else 128  # noqa: PLR2004 -- IPv4
        self.about = About(
            path=str(path),
            kind=self._metadata.database_type,
            description=self._metadata.description.get("en", ""),
            built_at=built_at,
            size_bytes=len(mapped),
        )

    def check(self) -> None:
        """Look whether it holds places or networks.

        Raises:
            DatabaseUnusable: none are found, or its records cannot be read.
        """
        try:
            found = any(location_of(record) != UNKNOWN for _, record in islice(self._reader, _SAMPLE))
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise DatabaseUnusable(self._path, f"its records cannot be read ({error})") from error
        if not found:
            raise DatabaseUnusable(
                self._path, f"{self.about.kind or 'it'} holds neither countries nor networks that Waypost can read"
            )

    def locate(self, blocks: Sequence[Block]) -> list[Location]:
        """What it says of addresses, or of every address of networks, in their order.

        Raises:
            maxminddb.InvalidDatabaseError: the file is damaged.
        """
        found = [UNKNOWN] * len(blocks)
        for bits in {block.bits for block in blocks if block.bits <= self._bits}:
            alone: list[int] = []
            for place, block in enumerate(blocks):
                if block.bits != bits:
                    continue
                if block.first == block.last:
                    alone.append(place)
                else:
                    found[place] = self._of_network(block)
            leaves = self._tree.leaves([blocks[place].first for place in alone], bits)
            for place, leaf in zip(alone, leaves, strict=True):
                found[place] = self._at_leaf(leaf, blocks[place])
        return found

    def close(self) -> None:
        """Give the file up; asking it afterwards is an error."""
        self._reader.close()

    def _at_leaf(self, leaf: int, block: Block) -> Location:
        location = self._by_leaf.get(leaf)
        if location is None:
            if len(self._by_leaf) >= _READ_BEFORE_MAX:
                self._by_leaf.clear()
            location = self._by_leaf[leaf] = self._read(self._reader.get(block.address))
        return location

    def _of_network(self, block: Block) -> Location:
        found = list(islice(self._records(block), _SPLITS_MAX + 1))
        return UNKNOWN if len(found) > _SPLITS_MAX else agreed([self._read(record) for record in found])

    def _read(self, record: object) -> Location:
        """As `location_of`.

        A database has far fewer places than networks, and to see that a record is known takes a fifth of reading it.
        """
        written = _ENCODER.encode(record)
        location = self._read_before.get(written)
        if location is None:
            if len(self._read_before) >= _READ_BEFORE_MAX:
                self._read_before.clear()
            location = self._read_before[written] = location_of(record)
        return location

    def _records(self, block: Block) -> Iterator[object]:
        """One for each part of a network that the database tells apart."""
        at = block.first
        while at <= block.last:
            record, prefix = self._reader.get_with_prefix_len(block.text(at))
            yield record
            size = 1 << (block.bits - prefix)
            at = (at // size + 1) * size


def _opened(path: Path) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path)
    except maxminddb.InvalidDatabaseError:
        # Said by the library's C of any file that the system did not let it open, too: then this is an OSError.
        path.open("rb").close()
        raise
