"""A relay that does what it is told, on loopback."""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass
class ScriptedRelay:
    """Takes everything unless `answers` says otherwise for a verb and a recipient (MAIL: a sender)."""

    CUT: ClassVar = "cut the connection"
    HANG: ClassVar = "answer nothing"
    SLOW: ClassVar = "slow"
    WAIT: ClassVar = "answer when `goes_on` is set"
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
    logins: int = 0
    """How often a password was sent to it."""
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: asyncio.Event = field(default_factory=asyncio.Event)
    """It was asked what it answers nothing to, or not yet."""
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _open: set = field(default_factory=set)

    def recipients(self) -> list[str]:
        return [recipient for _, recipient, _ in self.messages]

    async def has_taken(self, number: int) -> None:
        while len(self.messages) < number:
            self._taken.clear()
            await self._taken.wait()

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
            self.hangs.set()
            await asyncio.sleep(60)
        if answer == self.WAIT:
            self.hangs.set()
            await self.goes_on.wait()
            return "250 OK"
        if answer == self.SLOW:
            await asyncio.sleep(0.2)
            return "250 OK"
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
            self._taken.set()
        return answer

    def opened(self, transport):
        self.connections += 1
        self.connected.set()
        self._open.add(transport)
        self.most_at_once = max(self.most_at_once, len(self._open))

    def closed(self, transport):
        self._open.discard(transport)


@contextlib.asynccontextmanager
async def serving(relay, *, tls=None, log_in=False, port=0):
    """Serve it on loopback; its port is then in `relay.port`."""

    class Server(SMTP):
        def connection_made(self, transport):
            super().connection_made(transport)
            if self.session is not None and self.session.ssl is None:
                relay.opened(transport)

        def connection_lost(self, error):
            relay.closed(self.transport)
            super().connection_lost(error)

    def authenticate(_server, _session, _envelope, _mechanism, data):
        relay.logins += 1
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
