"""One POST to a receiver, whatever it does: within its time, and no more of its answer than is kept."""

import asyncio
import base64
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import h11

from waypost import __version__
from waypost.db.states import AttemptOutcome
from waypost.webhooks.address import AnyNetwork
from waypost.webhooks.connect import Guard, Resolve
from waypost.webhooks.errors import BrokenExchangeError, NoConnectionError, RefusedAddressError, UnknownNameError
from waypost.webhooks.exchange import Exchange
from waypost.webhooks.target import Target

# Standard Webhooks: 15 to 30 s. From the name to the head of the answer.
ATTEMPT_SECONDS: Final = 15.0
# For the body, which is only there to be looked at.
_BODY_SECONDS: Final = 1.0
ANSWER_BYTES_MAX: Final = 1024
"""What is kept of an answer, for people to see what went wrong."""
# A receiver that is told often keeps its connection. Servers let go of one after 2 s (Gunicorn) or 5 s (Node, Apache,
# Uvicorn): we do first, for a request that crosses their goodbye would count as a failure.
_KEEPALIVE_SECONDS: Final = 1.5
_GONE: Final = 410
_MAX_ERROR_CHARACTERS: Final = 300

_Receiver: TypeAlias = tuple[bool, str, int]

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


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection that may be used again, and since when nothing was sent over it."""

    exchange: Exchange
    since: float


class Sender:
    """Sends requests; nothing that a receiver does is raised.

    Args:
        resolve: names to addresses.
        private_networks: the setting of this name.
        trust: what certificates are judged by.
        seconds: until an answer has begun.
    """

    def __init__(
        self,
        resolve: Resolve,
        private_networks: Sequence[AnyNetwork],
        trust: ssl.SSLContext,
        *,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._guard = Guard(resolve, private_networks, trust)
        self._kept: dict[_Receiver, list[_Kept]] = {}

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it, without following where an answer points to."""
        try:
            return await self._post(target, headers, body)
        except TimeoutError:
            return Answer(AttemptOutcome.TIMEOUT, error=f"there was no answer within {self._seconds:g} seconds")
        except RefusedAddressError as error:
            return Answer(AttemptOutcome.REFUSED, error=str(error))
        except (UnknownNameError, NoConnectionError) as error:
            return Answer(AttemptOutcome.UNREACHABLE, error=_sentence(error, "no connection"))
        except BrokenExchangeError as error:
            return Answer(AttemptOutcome.BROKEN, error=_sentence(error, "the connection broke before an answer"))

    def close_idle(self) -> None:
        """Let go of connections that nothing was sent over for some seconds."""
        before = asyncio.get_running_loop().time() - _KEEPALIVE_SECONDS
        for receiver, connections in list(self._kept.items()):
            for kept in connections:
                if kept.since < before:
                    kept.exchange.close()
            left = [kept for kept in connections if kept.exchange.is_open]
            if left:
                self._kept[receiver] = left
            else:
                del self._kept[receiver]

    def close(self) -> None:
        """Let go of all connections that are kept."""
        for connections in self._kept.values():
            for kept in connections:
                kept.exchange.abort()

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        receiver = (target.secure, target.host, target.port)
        exchange: Exchange | None = None
        try:
            async with asyncio.timeout(self._seconds):
                exchange = self._open(receiver) or await self._guard.open(
                    target.host, target.port, secure=target.secure
                )
                head = await exchange.ask(target.path, [*_headers(target, body), *headers.items()], body)
            # It has answered: what the body does then changes nothing.
            return _judged(head, await _beginning(exchange))
        finally:
            if exchange is not None:
                exchange.ends()
                if exchange.is_open:
                    kept = _Kept(exchange, asyncio.get_running_loop().time())
                    self._kept.setdefault(receiver, []).append(kept)

    def _open(self, receiver: _Receiver) -> Exchange | None:
        """The one that was used last: the others come of age."""
        connections = self._kept.get(receiver, [])
        while connections:
            exchange = connections.pop().exchange
            if exchange.is_open:
                return exchange
        return None


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


async def _beginning(exchange: Exchange) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return (await exchange.beginning(ANSWER_BYTES_MAX))[:ANSWER_BYTES_MAX]
    except (TimeoutError, BrokenExchangeError) as error:
        _log.debug("an answer broke off: %s", error)
        return b""


def _judged(response: h11.Response, beginning: bytes) -> Answer:
    # PostgreSQL takes no NUL in a text.
    text = beginning.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    status = response.status_code
    if 200 <= status < 300:  # noqa: PLR2004 -- RFC 9110, section 15.3
        return Answer(AttemptOutcome.DELIVERED, status, body=text)
    outcome = AttemptOutcome.GONE if status == _GONE else AttemptOutcome.STATUS
    retry_after = dict(response.headers).get(b"retry-after", b"")
    return Answer(outcome, status, f"it answered with status {status}", text, retry_after.decode("latin-1"))


def _sentence(error: Exception, otherwise: str) -> str:
    return (str(error) or otherwise).replace("\0", "")[:_MAX_ERROR_CHARACTERS]
