"""Visits a link domain as a reader does: a TLS handshake that trusts nothing but a valid certificate, then a nonce."""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final

from waypost.control.verification.answers import Probe, ProbeOutcome
from waypost.control.verification.errors import TrustedRootsError
from waypost.fleet.proof import proves
from waypost.links.keyring import Keyring

_CONNECT_SECONDS: Final = 10.0
_HANDSHAKE_SECONDS: Final = 30.0
"""The first visit has the front order a certificate, which takes seconds, and the visitor wait for it."""
_ANSWER_SECONDS: Final = 10.0
_ANSWER_MAX: Final = 16_384
_SERVER: Final = re.compile(rb"^server:[ \t]*([!-~][ -~]{0,63})", re.IGNORECASE | re.MULTILINE)


def trust(roots: str) -> ssl.SSLContext:
    """What a certificate is judged by.

    Args:
        roots: file of root certificates, the setting `dns.trusted_roots`; empty: those of this machine.

    Raises:
        TrustedRootsError: the file cannot be read, or holds none.
    """
    try:
        context = ssl.create_default_context(cafile=roots or None)
    except OSError as error:  # ssl.SSLError is one
        raise TrustedRootsError(f"dns.trusted_roots: {roots} holds no root certificates ({error})") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class Visitor:
    """Goes to link domains.

    Args:
        port: of HTTPS.
        context: what certificates are judged by.
        keyring: the newest one: it has the key that an edge proves with.
        new_nonce: a text that matches `waypost.fleet.proof.NONCE`, new each time.
    """

    def __init__(
        self, port: int, context: ssl.SSLContext, keyring: Callable[[], Keyring], new_nonce: Callable[[], str]
    ) -> None:
        self._port = port
        self._context = context
        self._keyring = keyring
        self._new_nonce = new_nonce

    async def visit(self, link_domain: str, address: str) -> Probe:
        """Go to one address of a link domain and ask for the proof that one of our edges is there."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(address, self._port)
        except (OSError, TimeoutError) as error:
            return Probe(address, ProbeOutcome.UNREACHABLE, _words(error, "no connection in time"))
        try:
            refused = await self._handshake(writer, link_domain, address)
            return refused or await self._proof(reader, writer, link_domain, address)
        finally:
            writer.transport.abort()  # nothing more is to be said, and who does not close must not hold us

    async def _handshake(self, writer: asyncio.StreamWriter, link_domain: str, address: str) -> Probe | None:
        try:
            await writer.start_tls(self._context, server_hostname=link_domain, ssl_handshake_timeout=_HANDSHAKE_SECONDS)
        except ssl.SSLCertVerificationError as error:
            return Probe(address, ProbeOutcome.BAD_CERTIFICATE, error.verify_message)
        except ssl.SSLError as error:
            return Probe(address, ProbeOutcome.NO_CERTIFICATE, _reason(error))
        except (OSError, TimeoutError) as error:
            return Probe(address, ProbeOutcome.UNREACHABLE, _words(error, "no handshake in time"))
        return None

    async def _proof(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link_domain: str, address: str
    ) -> Probe:
        nonce = self._new_nonce()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await _ask(reader, writer, link_domain, nonce)
        except (OSError, TimeoutError) as error:
            return Probe(address, ProbeOutcome.UNREACHABLE, _words(error, "no answer in time"))
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"200"] and proves(body.decode("latin-1"), nonce, link_domain, self._keyring()):
            return Probe(address, ProbeOutcome.PROVEN)
        if status and status[0].startswith(b"5"):  # a front whose edge is down: it may be ours
            return Probe(address, ProbeOutcome.UNREACHABLE, f"status {status[0].decode('latin-1')}")
        return Probe(address, ProbeOutcome.NOT_OURS, _calls_itself(head))


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link_domain: str, nonce: str) -> bytes:
    request = f"GET /.well-known/waypost/{nonce} HTTP/1.1\r\nHost: {link_domain}\r\nConnection: close\r\n\r\n"
    writer.write(request.encode("ascii"))
    await writer.drain()
    answer = b""
    while len(answer) < _ANSWER_MAX and (more := await reader.read(_ANSWER_MAX)):
        answer += more
    return answer


def _calls_itself(head: bytes) -> str:
    server = _SERVER.search(head)
    return f"it calls itself {server[1].decode('ascii').strip()}" if server else "it does not say what it is"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "it ended the handshake").replace("_", " ").lower()


def _words(error: Exception, late: str) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return late
    return (getattr(error, "strerror", None) or str(error) or "the connection was closed").lower()
