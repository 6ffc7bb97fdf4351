"""Fetch a database: to a temporary name, looked at, and only then in the place of the one before."""

import fcntl
import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
import urllib3
from msgspec import Struct

from waypost import __version__
from waypost.config.values import SecretUrl
from waypost.geoip.database import About, Database
from waypost.geoip.errors import DatabaseUnusable, DownloadFailed

# The largest that is sold takes 2 GB; what goes on beyond is no database.
_BYTES_MAX: Final = 8 << 30
_CHUNK_BYTES: Final = 1 << 20
# A mirror that sends nothing for so long has gone.
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=60)

Progress = Callable[[int, int], None]
"""Told the bytes that came, and how many there will be; 0: not known."""


class Origin(Struct, frozen=True, kw_only=True):
    """Where a database was fetched, kept beside it: the source is asked only for what is newer."""

    url: str
    """Without a password."""
    etag: str = ""
    last_modified: str = ""


class Fetched(Struct, frozen=True):
    """What became of one source."""

    url: str
    """Without a password, its date filled in."""
    about: About
    is_new: bool
    """False: the source has nothing newer than what is there."""


def fetch(source: SecretUrl, path: Path, *, today: date, progress: Progress = lambda *_: None) -> Fetched:
    """Put the newest database of a source at `path`.

    A running core takes it within a second; the file before it stays whole for whoever has it open.

    Args:
        source: {year} and {month} stand for those of `today` or, where the source has none yet, of the month before.
        path: of the database; its directory is made when missing.
        today: UTC.
        progress: told now and then.

    Raises:
        DownloadFailed: the source cannot be reached, or has no database of places there.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    urls = dict.fromkeys(_of_month(source, month) for month in (today, today.replace(day=1) - timedelta(days=1)))
    with (
        _scratch(path) as scratch,
        urllib3.PoolManager(timeout=_TIMEOUT, retries=urllib3.Retry(2, redirect=5)) as pool,
    ):
        for url in urls:
            got = _fetch(pool, url, path, scratch, progress)
            if isinstance(got, Fetched):
                return got
    raise DownloadFailed(repr(url), f"the answer is {got}")


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A directory to fetch into, for one at a time; what a crash left in it is cleared away.

    Beside `path`, for a rename does not cross file systems. The lock is its own and not that of `path`'s directory,
    which may be the data directory: a mirror that takes its time must not hold up the snapshot.
    """
    scratch = path.with_name(f".{path.name}.fetched")
    descriptor = _locked(scratch)
    try:
        for left in scratch.iterdir():
            left.unlink()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(descriptor)


def _locked(directory: Path) -> int:
    """A descriptor that locks a directory, made when missing; who had it before may have removed it."""
    while True:
        directory.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if directory.exists() and os.path.samestat(os.fstat(descriptor), directory.stat()):
                return descriptor
            os.close(descriptor)


def _fetch(pool: urllib3.PoolManager, url: SecretUrl, path: Path, scratch: Path, progress: Progress) -> Fetched | str:
    """Take what there is at a URL; when there is nothing, the answer that said so."""
    with _answer(pool, url, _known(path, repr(url))) as answer:
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return Fetched(repr(url), _looked_at(path), is_new=False)
        if answer.status == HTTPStatus.OK:
            return _take(answer, url, path, scratch, progress)
        # Stores of files say 403 of what is not there, too.
        return f"{answer.status} {answer.reason or ''}".rstrip()


def _of_month(source: SecretUrl, month: date) -> SecretUrl:
    url = source.reveal().replace("{year}", f"{month:%Y}").replace("{month}", f"{month:%m}")
    return SecretUrl(url)


def _known(path: Path, url: str) -> Origin | None:
    """What is known of the file there, when it came from this URL and is still there."""
    try:
        origin = msgspec.json.decode(_origin_path(path).read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError):
        return None
    return origin if origin.url == url and path.exists() else None


@contextmanager
def _answer(
    pool: urllib3.PoolManager, url: SecretUrl, known: Origin | None
) -> Iterator[urllib3.response.BaseHTTPResponse]:
    parts = urlsplit(url.reveal())
    headers = {"User-Agent": f"waypost/{__version__}", "Accept-Encoding": "identity"}
    if parts.username is not None:
        headers |= urllib3.make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    elif known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DownloadFailed(repr(url), "it does not begin with https:// and a host")
    try:
        answer = pool.request("GET", bare, headers=headers, preload_content=False)
        try:
            yield answer
        finally:
            answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise DownloadFailed(repr(url), f"it could not be fetched ({_why(error)})") from error


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """The cause itself, without the library's words around it."""
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else None
    return str(reason or error)


def _take(
    answer: urllib3.response.BaseHTTPResponse, url: SecretUrl, path: Path, scratch: Path, progress: Progress
) -> Fetched:
    packed, unpacked = scratch / "packed", scratch / "unpacked"
    _save(answer, packed, url, progress)
    try:
        with packed.open("rb") as file, unpacked.open("wb") as out:
            _unpack(file, out)
            out.flush()
            os.fsync(out.fileno())
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DownloadFailed(repr(url), f"what came cannot be unpacked ({error})") from error
    try:
        about = _looked_at(unpacked)
    except DatabaseUnusable as error:
        raise DownloadFailed(repr(url), f"what came is not used: {error.reason}") from error
    unpacked.chmod(0o644)
    # Without the note of the old file first: a crash in between only costs a download.
    _origin_path(path).unlink(missing_ok=True)
    unpacked.replace(path)
    origin = Origin(
        url=repr(url),
        etag=answer.headers.get("ETag", ""),
        last_modified=answer.headers.get("Last-Modified", ""),
    )
    _origin_path(path).write_bytes(msgspec.json.encode(origin))
    return Fetched(repr(url), msgspec.structs.replace(about, path=str(path)), is_new=True)


def _save(answer: urllib3.response.BaseHTTPResponse, path: Path, url: SecretUrl, progress: Progress) -> None:
    total = int(length) if (length := answer.headers.get("Content-Length", "")).isdecimal() else 0
    came = 0
    with path.open("wb") as file:
        for chunk in answer.stream(_CHUNK_BYTES):
            came += len(chunk)
            if came > _BYTES_MAX:
                raise DownloadFailed(repr(url), f"it sends more than {_BYTES_MAX >> 30} GiB")
            file.write(chunk)
            progress(came, total)


def _unpack(packed: BinaryIO, out: BinaryIO) -> None:
    """The database itself, out of what it is packed in, by its first bytes: names on mirrors differ."""
    is_gzip = packed.read(2) == b"\x1f\x8b"
    packed.seek(0)
    if not is_gzip:
        return _copy(packed, out)
    try:
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            member = next((each for each in archive if each.isfile() and each.name.endswith(".mmdb")), None)
            file = archive.extractfile(member) if member else None
            if file is None:
                raise OSError("there is no .mmdb in the archive")
            return _copy(file, out)
    except tarfile.ReadError:
        packed.seek(0)
    with gzip.GzipFile(fileobj=packed) as plain:
        return _copy(plain, out)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _copy(source: _Readable, out: BinaryIO) -> None:
    """Not without end: some bytes of gzip can be very many."""
    copied = 0
    while chunk := source.read(_CHUNK_BYTES):
        copied += len(chunk)
        if copied > _BYTES_MAX:
            raise OSError(f"it is more than {_BYTES_MAX >> 30} GiB")
        out.write(chunk)


def _looked_at(path: Path) -> About:
    database = Database(path)
    try:
        database.check()
    finally:
        database.close()
    return database.about


def _origin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")
