"""The core on another machine, over HTTP (`waypost.fleet.courier`). Every call may fail, and each wait has a limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec
import urllib3

from waypost import __version__
from waypost.agent.errors import CoreConfused, CoreRefused, CoreUnreachable, NotConfigured
from waypost.config import Settings
from waypost.fleet.courier import Receipt, Report
from waypost.fleet.errors import SnapshotError
from waypost.fleet.snapshot import Snapshot, decode_snapshot
from waypost.links.errors import InvalidKeyring
from waypost.links.keyring import Keyring

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
STORED_SECONDS: Final = 60.0
"""The core answers for a segment once it is stored, behind whatever waits there."""
_ANSWER_BYTES_MAX: Final = 32 << 20
"""A snapshot with 100,000 blocked links takes 4 MB."""
_MESSAGE_CHARACTERS: Final = 200
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and what to name it by when asking for a newer one."""

    data: bytes
    etag: str


class Core:
    """A core to ask; safe to use from several threads.

    Args:
        settings: `edge.control_url` and `edge.credential`.

    Raises:
        NotConfigured: they cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        check_configured(settings)
        self.url = settings.edge.control_url
        self._edge = settings.edge.name
        self._headers = {
            "Authorization": f"Bearer {settings.edge.credential.reveal()}",
            "User-Agent": f"waypost-edge/{__version__}",
        }
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=4, retries=False)

    def snapshot(self, etag: str) -> Fetched | None:
        """The snapshot; None when it is the one that `etag` names. Raises CoreError."""
        return self._fetch("snapshot", etag)

    def keyring(self, etag: str) -> Fetched | None:
        """The keyring, in the same way."""
        return self._fetch("keyring", etag)

    def report(self, report: Report) -> None:
        """Say what the workers here hold. Raises CoreError."""
        self._ask("PUT", f"edges/{self._edge}", msgspec.json.encode(report), {"Content-Type": "application/json"})

    def store(self, worker: str, segment_id: str, packed: bytes) -> Receipt:
        """Hand over a segment, compressed with gzip. Returns once it is stored, or never will be.

        Raises:
            CoreError: it is not known to be stored.
        """
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
        response = self._ask("POST", f"spool/{worker}/{segment_id}", packed, headers, seconds=STORED_SECONDS)
        try:
            return msgspec.json.decode(response.data, type=Receipt)
        except msgspec.DecodeError as error:
            raise CoreConfused("it answered 200 for a segment, but with no receipt") from error

    def _fetch(self, what: str, etag: str) -> Fetched | None:
        response = self._ask("GET", what, None, {"If-None-Match": etag} if etag else {})
        return None if response.status == 304 else Fetched(response.data, response.headers.get("ETag", ""))  # noqa: PLR2004 -- HTTP's

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float = ANSWER_SECONDS
    ) -> "_Response":
        try:
            response = self._pool.request(
                method,
                f"{self.url}/internal/{path}",
                body=body,
                headers={**self._headers, **headers},
                # Never on to another address: it would be given the credential.
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
            )
            try:
                data = response.read(_ANSWER_BYTES_MAX + 1)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise CoreUnreachable(_plain(error)) from error
        if len(data) > _ANSWER_BYTES_MAX:
            response.close()
            raise CoreConfused(f"it answered more than {_ANSWER_BYTES_MAX} bytes")
        if response.status not in _EXPECTED[method]:
            message = self._unknown() if response.status == _UNAUTHORIZED else _message(data)
            raise CoreRefused(response.status, message, _seconds(response.headers.get("Retry-After", "")))
        return _Response(response.status, response.headers, data)

    def _unknown(self) -> str:
        """In place of the core's own words, which are for users of the API."""
        return (
            f"it does not know this edge's credential (removed, or wrong): `waypost edges add {self._edge}` on the "
            f"core's machine gives a new one, after `waypost edges remove {self._edge}` if `edges list` has it still"
        )


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    data: bytes


_EXPECTED: Final = {"GET": (200, 304), "PUT": (204,), "POST": (200,)}


def check_configured(settings: Settings) -> None:
    """Refuse settings with which the link keys or the credential would travel in the open, or no edge could be known.

    Raises:
        NotConfigured: as said.
    """
    parts = urlsplit(settings.edge.control_url)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise NotConfigured(
            f"edge.control_url is {settings.edge.control_url}: the link keys would travel unencrypted. Use https."
        )
    if not settings.edge.credential:
        raise NotConfigured(
            "edge.control_url is set but edge.credential is not: `waypost edges add NAME` where the core is prints it."
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_keyring(fetched: Fetched) -> Keyring:
    """The keyring in an answer.

    Raises:
        CoreConfused: it is none.
    """
    try:
        return Keyring.parse(fetched.data.decode("utf-8"))
    except (UnicodeDecodeError, InvalidKeyring) as error:
        raise CoreConfused("what it sent as the keyring is none") from error


def read_snapshot(fetched: Fetched, keyring: Keyring) -> Snapshot:
    """The snapshot in an answer, checked.

    Raises:
        CoreConfused: it is none, or not to be believed.
    """
    try:
        return decode_snapshot(fetched.data, keyring)
    except SnapshotError as error:
        raise CoreConfused(f"its snapshot is not used: {error}") from error


def _message(data: bytes) -> str:
    """Of a refusal, as far as it has one."""
    try:
        message = msgspec.json.decode(data)["message"]
    except (msgspec.DecodeError, LookupError, TypeError):
        return ""
    return str(message)[:_MESSAGE_CHARACTERS]


def _seconds(text: str) -> int | None:
    """Of Retry-After, in its form in seconds (RFC 9110, section 10.2.3)."""
    return int(text) if text.isascii() and text.isdigit() else None


def _plain(error: urllib3.exceptions.HTTPError) -> str:
    """Without the addresses of objects in memory that urllib3 begins with."""
    return str(error).rpartition(">: ")[2] or type(error).__name__
