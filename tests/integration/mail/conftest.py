"""A relay that does what it is told, on loopback."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from waypost.config import Secret, StartTls, load


@dataclass
class ScriptedRelay:
    """Takes everything unless `answers` says otherwise for a verb and a recipient (MAIL: a sender)."""

    CUT: ClassVar = "cut the connection"
    HANG: ClassVar = "answer nothing"
    USERNAME: ClassVar = "mailer"
    PASSWORD: ClassVar = "not-in-any-log"

    answers: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """What to answer, first to last, then 250."""
    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Sender, recipient and content of what was taken."""
    connections: int = 0
    most_at_once: int = 0
    encrypted: list[bool] = field(default_factory=list)
    """For each message taken."""
    port: int = 0
    _open: set = field(default_factory=set)

    def recipients(self) -> list[str]:
        return [recipient for _, recipient, _ in self.messages]

    def open_now(self) -> int:
        return len(self._open)

    def drop_connections(self) -> None:
        for transport in self._open:
            transport.close()

    async def _answer(self, server, verb, address):
        script = self.answers[verb, address]
        answer = script.pop(0) if script else "250 OK"
        if answer == self.CUT:
            server.transport.abort()
        if answer in (self.CUT, self.HANG):
            await asyncio.sleep(60)
        return answer

    async def handle_MAIL(self, server, _session, envelope, address, _options):  # noqa: N802
        envelope.mail_from = address
        return await self._answer(server, "MAIL", address)

    async def handle_RCPT(self, server, _session, envelope, address, _options):  # noqa: N802
        answer = await self._answer(server, "RCPT", address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = await self._answer(server, "DATA", recipient)
        if answer.startswith("250"):
            self.messages.append((envelope.mail_from, recipient, envelope.original_content))
            self.encrypted.append(session.ssl is not None)
        return answer

    def opened(self, transport):
        self.connections += 1
        self._open.add(transport)
        self.most_at_once = max(self.most_at_once, len(self._open))

    def closed(self, transport):
        self._open.discard(transport)


@contextlib.asynccontextmanager
async def _serving(relay, *, tls=None, log_in=False, port=0):

    class Server(SMTP):
        def connection_made(self, transport):
            super().connection_made(transport)
            if self.session is not None and self.session.ssl is None:
                relay.opened(transport)

        def connection_lost(self, error):
            relay.closed(self.transport)
            super().connection_lost(error)

    def authenticate(_server, _session, _envelope, _mechanism, data):
        right = (data.login, data.password) == (relay.USERNAME.encode(), relay.PASSWORD.encode())
        return AuthResult(success=right, handled=right)

    def protocol():
        return Server(
            relay,
            hostname="relay.test",
            enable_SMTPUTF8=False,
            tls_context=tls,
            authenticator=authenticate if log_in else None,
            auth_required=log_in,
            auth_require_tls=tls is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.drop_connections()
        await asyncio.sleep(0)


@pytest.fixture
def relay():
    return ScriptedRelay()


@pytest.fixture
def serving():
    """`async with serving(relay, tls=None, log_in=False, port=0)`; the port is then in `relay.port`."""
    return _serving


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@pytest.fixture
def settings(tmp_path):
    """Settings of an install whose relay is at a port a test fills in."""
    loaded = load(None, {}, tmp_path)
    return msgspec.structs.replace(
        loaded, mail=msgspec.structs.replace(loaded.mail, starttls=StartTls.NEVER, hostname="waypost.test")
    )


@pytest.fixture
def mail_settings(settings):
    def change(**changes):
        if "password" in changes:
            changes["password"] = Secret(changes["password"])
        return msgspec.structs.replace(settings.mail, **changes)

    return change


@dataclass(frozen=True)
class Certificate:
    server: ssl.SSLContext
    """What the relay serves with."""
    trusting: ssl.SSLContext
    """A client that trusts it and nothing else."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Self-signed, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return Certificate(server, ssl.create_default_context(cadata=pem.decode()))
