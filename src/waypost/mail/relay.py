"""The relay, spoken to over SMTP (RFC 5321): connections are reused, and every answer becomes a value."""

import asyncio
import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
)

from waypost.config.settings import MailSettings, StartTls
from waypost.mail.errors import RelayUnavailableError

# Not about the message, whatever their first digit: the relay closes (RFC 5321, section 3.8), or wants another login
# or TLS (RFC 4954, section 6; RFC 3207, section 4). No message shall bounce for how this installation is set up.
_RELAY_CODES = frozenset({421, 530, 534, 535, 538})
_PERMANENT = range(500, 600)
_REPLY_CHARACTERS = 1000
_UNPRINTABLE = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What goes to the relay: addresses for MAIL and RCPT, ASCII, and the message."""

    sender: str
    recipient: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay said 250 to the whole message: it is its responsibility now."""

    reply: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay will never take this message: 5xx to MAIL, RCPT or DATA."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: 4xx, a timeout, a cut connection.

    `relay_down`: it did not come to this message; the relay cannot be reached, or refuses to talk.
    """

    reply: str
    relay_down: bool = False


Answer = Accepted | Refused | Deferred


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for the relay.

    Attributes:
        connect: for TCP, the greeting, EHLO, TLS and AUTH, each.
        command: for the reply to a command.
        data: for the reply to the message.
        idle: that an unused connection is kept.
    """

    connect: float
    command: float
    data: float
    idle: float


# RFC 5321, section 4.5.3.2, but for the greeting: a relay is near, and one that hangs is soon asked again.
RFC_TIMEOUTS = Timeouts(connect=30, command=300, data=600, idle=10)


@dataclass(frozen=True, slots=True)
class _Idle:
    client: SMTP
    since: float


class Relay:
    """At most `settings.connections` connections to the relay at once; for one event loop.

    With `starttls = "opportunistic"` certificates are not checked, as between mail servers everywhere: who can forge
    one could as well hide the offer of TLS. A password is another matter: it goes to a relay on this machine, and over
    TLS to one whose certificate is good, and to no other.
    """

    def __init__(
        self, settings: MailSettings, timeouts: Timeouts = RFC_TIMEOUTS, trust: ssl.SSLContext | None = None
    ) -> None:
        """Take settings; nothing is opened yet.

        Args:
            settings: the section `mail`.
            timeouts: seconds.
            trust: how to check the relay's certificate where it is checked; the system's trust store by default.
        """
        self._settings = settings
        self._timeouts = timeouts
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[_Idle] = []
        self._checked = trust or ssl.create_default_context()
        self._unchecked = _unchecked()

    async def send(self, envelope: Envelope) -> Answer:
        """Hand over one message; waits for a free connection. Never raises for what the relay does."""
        async with self._slots:
            try:
                client = await self._connection()
            except RelayUnavailableError as error:
                return Deferred(_printable(str(error)), relay_down=True)
            try:
                answer = await self._transaction(client, envelope)
            except BaseException:
                client.close()
                raise
            if client.is_connected:
                self._idle.append(_Idle(client, asyncio.get_running_loop().time()))
            return answer

    async def close_idle(self) -> None:
        """Close the connections that were idle too long; call it now and then."""
        expired = asyncio.get_running_loop().time() - self._timeouts.idle
        closing = [idle for idle in self._idle if idle.since <= expired]
        self._idle = [idle for idle in self._idle if idle.since > expired]
        for idle in closing:
            await _quit(idle.client)

    async def close(self) -> None:
        """Close every idle connection; call it when no message is under way."""
        while self._idle:
            await _quit(self._idle.pop().client)

    async def _connection(self) -> SMTP:
        """A connection ready for MAIL: one kept that still answers, else a new one."""
        while self._idle:
            client = self._idle.pop().client
            try:
                await client.rset(timeout=self._timeouts.connect)
            except (SMTPException, OSError):
                client.close()
            else:
                return client
        return await self._connect()

    async def _connect(self) -> SMTP:
        settings = self._settings
        where = f"relay {settings.relay_host}:{settings.relay_port}"
        try:
            client = SMTP(
                hostname=settings.relay_host,
                port=settings.relay_port,
                local_hostname=settings.hostname or None,
                timeout=self._timeouts.connect,
                start_tls=False,  # done below, where its failure can be told from others
            )
        except ValueError as error:
            raise RelayUnavailableError(f"{where}: {error}") from error
        step = "cannot connect"
        try:
            await client.connect()
            step = "EHLO failed"
            await client.ehlo()
            if settings.starttls is not StartTls.NEVER:
                step = "STARTTLS failed"
                await self._start_tls(client)
            if settings.username:
                step = "AUTH failed"
                await self._log_in(client)
        except (SMTPException, OSError, UnicodeError, RelayUnavailableError) as error:  # UnicodeError: of a name
            client.close()
            raise RelayUnavailableError(f"{where}: {step}: {_reason(error)}") from error
        except BaseException:
            client.close()
            raise
        return client

    async def _start_tls(self, client: SMTP) -> None:
        required = self._settings.starttls is StartTls.REQUIRED
        if client.supports_extension("starttls"):
            password_leaves = bool(self._settings.username) and not _on_this_machine(client)
            await client.starttls(tls_context=self._checked if required or password_leaves else self._unchecked)
            await client.ehlo()
        elif required:
            raise RelayUnavailableError("the relay does not offer it, and mail.starttls is required")

    async def _log_in(self, client: SMTP) -> None:
        encrypted = client.get_transport_info("sslcontext") is not None
        if not encrypted and not _on_this_machine(client):
            raise RelayUnavailableError("the password is not sent without TLS except to a relay on this machine")
        await client.login(self._settings.username, self._settings.password.reveal())

    async def _transaction(self, client: SMTP, envelope: Envelope) -> Answer:
        # RFC 1870: a relay that will not take the size says so before the message is sent.
        size = [f"SIZE={len(envelope.message)}"] if client.supports_extension("size") else []
        try:
            await client.mail(envelope.sender, options=size, timeout=self._timeouts.command)
            await client.rcpt(envelope.recipient, timeout=self._timeouts.command)
            reply = await client.data(envelope.message, timeout=self._timeouts.data)
        except SMTPResponseException as error:
            return _classified(error)
        except (SMTPException, OSError) as error:
            client.close()
            return Deferred(_reason(error))
        return Accepted(_printable(f"{reply.code} {reply.message}"))


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _on_this_machine(client: SMTP) -> bool:
    peer = client.get_transport_info("peername")
    return peer is not None and ip_address(peer[0]).is_loopback


def _classified(error: SMTPResponseException) -> Refused | Deferred:
    reply = _reason(error)
    if error.code in _RELAY_CODES:
        return Deferred(reply, relay_down=True)
    return Refused(reply) if error.code in _PERMANENT else Deferred(reply)


def _reason(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return _printable(f"{error.code} {error.message}")
    return _printable(str(error) or type(error).__name__)


def _printable(text: str) -> str:
    """One line that any database and any log can hold: a relay may answer with any bytes."""
    return _UNPRINTABLE.sub(" ", text)[:_REPLY_CHARACTERS]


async def _quit(client: SMTP) -> None:
    try:
        await client.quit(timeout=1)  # courtesy; the relay loses nothing when it does not hear it
    except (SMTPException, OSError):
        client.close()
