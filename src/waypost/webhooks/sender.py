"""One POST to a receiver, whatever it does: within its time, and no more of its answer than is kept."""

import asyncio
import base64
import contextlib
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpcore

from waypost import __version__
from waypost.db.states import AttemptOutcome
from waypost.webhooks.address import AnyNetwork
from waypost.webhooks.connect import GuardedBackend, Resolve
from waypost.webhooks.errors import RefusedAddressError, UnknownNameError
from waypost.webhooks.target import Target

# Standard Webhooks: 15 to 30 s. From the name to the head of the answer.
ATTEMPT_SECONDS: Final = 15.0
# For the body, which is only there to be looked at.
_BODY_SECONDS: Final = 1.0
ANSWER_BYTES_MAX: Final = 1024
"""What is kept of an answer, for people to see what went wrong."""
# A receiver that is told often keeps its connection; others let go soon.
_KEEPALIVE_SECONDS: Final = 5.0
_GONE: Final = 410
_MAX_ERROR_CHARACTERS: Final = 300

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        outcome: in a word.
        status: of the answer; None when there was none.
        error: one sentence; empty when all went well.
        body: the first bytes of the answer, as text.
        retry_after: the header, empty without one.
    """

    outcome: AttemptOutcome
    status: int | None = None
    error: str = ""
    body: str = ""
    retry_after: str = ""


@dataclass(slots=True)
class _Pool:
    """Connections to one receiver, how many requests are under way, and when the last one ended."""

    connections: httpcore.AsyncConnectionPool
    under_way: int = 0
    used_at: float = 0.0


class Sender:
    """Sends requests; nothing that a receiver does is raised.

    Args:
        resolve: names to addresses.
        private_networks: the setting of this name.
        trust: what certificates are judged by.
        connections: requests at once to one receiver, at most.
        seconds: until an answer has begun.
    """

    def __init__(
        self,
        resolve: Resolve,
        private_networks: Sequence[AnyNetwork],
        trust: ssl.SSLContext,
        *,
        connections: int,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._trust = trust
        self._connections = connections
        self._backends = {secure: GuardedBackend(resolve, private_networks, secure=secure) for secure in (True, False)}
        # One for each receiver: a pool looks at all its connections, several times over, for every request.
        self._pools: dict[tuple[bool, str, int], _Pool] = {}

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it, without following where an answer points to."""
        try:
            return await self._post(target, headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(AttemptOutcome.TIMEOUT, error=f"there was no answer within {self._seconds:g} seconds")
        except RefusedAddressError as error:
            return Answer(AttemptOutcome.REFUSED, error=str(error))
        except (UnknownNameError, httpcore.ConnectError) as error:
            return Answer(AttemptOutcome.UNREACHABLE, error=_sentence(error, "no connection"))
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            return Answer(AttemptOutcome.BROKEN, error=_sentence(error, "the connection broke before an answer"))

    async def close_idle(self) -> None:
        """Let go of receivers that nothing was sent to for some seconds."""
        before = asyncio.get_running_loop().time() - _KEEPALIVE_SECONDS
        idle = [receiver for receiver, pool in self._pools.items() if not pool.under_way and pool.used_at < before]
        for pool in [self._pools.pop(receiver) for receiver in idle]:
            await pool.connections.aclose()

    async def close(self) -> None:
        """Let go of connections that are kept."""
        for pool in self._pools.values():
            await pool.connections.aclose()

    @contextlib.contextmanager
    def _pool(self, target: Target) -> Iterator[httpcore.AsyncConnectionPool]:
        receiver = (target.secure, target.host, target.port)
        if receiver not in self._pools:
            self._pools[receiver] = _Pool(
                httpcore.AsyncConnectionPool(
                    ssl_context=self._trust,
                    max_connections=self._connections,
                    keepalive_expiry=_KEEPALIVE_SECONDS,
                    network_backend=self._backends[target.secure],
                )
            )
        pool = self._pools[receiver]
        pool.under_way += 1
        try:
            yield pool.connections
        finally:
            pool.under_way -= 1
            pool.used_at = asyncio.get_running_loop().time()

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        url = httpcore.URL(
            scheme="https" if target.secure else "http",
            host=f"[{target.host}]" if ":" in target.host else target.host,
            port=target.port,
            target=target.path,
        )
        fields = [*_headers(target, body), *headers.items()]
        with self._pool(target) as pool:
            request = pool.stream("POST", url, headers=fields, content=body)
            async with asyncio.timeout(self._seconds) as deadline, request as response:
                # It has answered: what the body does then changes nothing.
                deadline.reschedule(None)
                return _judged(response, await _beginning(response))


def _headers(target: Target, body: bytes) -> list[tuple[str, str]]:
    headers = [
        ("Host", target.authority),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", f"Waypost/{__version__}"),
    ]
    if target.credentials:
        headers.append(("Authorization", "Basic " + base64.b64encode(target.credentials.encode()).decode()))
    return headers


async def _beginning(response: httpcore.Response) -> bytes:
    found = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_stream():
                found += chunk
                if len(found) >= ANSWER_BYTES_MAX:
                    break
    except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        _log.debug("an answer broke off: %s", error)
    return found[:ANSWER_BYTES_MAX]


def _judged(response: httpcore.Response, beginning: bytes) -> Answer:
    # PostgreSQL takes no NUL in a text.
    text = beginning.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    retry_after = dict(response.headers).get(b"retry-after") or dict(response.headers).get(b"Retry-After") or b""
    if 200 <= response.status < 300:  # noqa: PLR2004 -- RFC 9110, section 15.3
        return Answer(AttemptOutcome.DELIVERED, response.status, body=text)
    outcome = AttemptOutcome.GONE if response.status == _GONE else AttemptOutcome.STATUS
    error = f"it answered with status {response.status}"
    return Answer(outcome, response.status, error, text, retry_after.decode("latin-1"))


def _sentence(error: Exception, otherwise: str) -> str:
    return (str(error) or otherwise).replace("\0", "")[:_MAX_ERROR_CHARACTERS]
