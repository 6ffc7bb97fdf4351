"""Readers of a name that has several addresses: who is not answered at one asks another, as browsers do."""

import socket
import ssl
import time
from collections.abc import Sequence
from random import Random

from torture.load import LINK_DOMAIN, Connection, Readers, request, sealer
from waypost.links.keyring import Keyring

CONNECT_SECONDS = 2.0
"""Until an address that says nothing is given up."""
ANSWER_SECONDS = 10.0
"""Until one that was asked is: the machine vanished."""
PATIENCE_SECONDS = 40.0
"""Who was answered nowhere for so long was not redirected."""
PAUSE_SECONDS = 0.05

Address = tuple[str, int]


class NamedConnection(Connection):
    """A connection to any of the addresses of a name; after a failure, to another one.

    Args:
        addresses: where the name leads.
        rng: draws one of them.
        name: of the server, and the context of TLS; none: plain HTTP.

    Attributes:
        refused: certificates that a browser would not show a page under.
    """

    def __init__(
        self, addresses: Sequence[Address], rng: Random, name: str = "", context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(addresses[0][1], ANSWER_SECONDS)
        self._addresses = addresses
        self._rng = rng
        self._name = name
        self._context = context
        self._avoided: Address | None = None
        self.refused: list[str] = []

    def avoid(self) -> None:
        """Connect elsewhere the next time."""
        self._avoided = self._address

    def _open(self) -> socket.socket:
        self._address = self._rng.choice([each for each in self._addresses if each != self._avoided])
        self._avoided = None
        opened = socket.create_connection(self._address, CONNECT_SECONDS)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(ANSWER_SECONDS)
            return self._context.wrap_socket(opened, server_hostname=self._name) if self._context else opened
        except OSError as error:
            opened.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                self.refused.append(f"{self._address[0]}: {error.verify_message}")
            raise


class FailoverReaders(Readers):
    """Readers who ask again, under a new number and elsewhere, until they are answered.

    Args:
        addresses: of the edges.
        keyring: seals.
        link_domain: theirs, and the server's name in TLS.
        context: of TLS; none: plain HTTP.
        more: as `Readers` has it.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        keyring: Keyring,
        *,
        link_domain: str = LINK_DOMAIN,
        context: ssl.SSLContext | None = None,
        **more: object,
    ) -> None:
        super().__init__(addresses[0][1], keyring, pipelined=1, **more)
        self._addresses = addresses
        self._sealer = sealer(keyring, link_domain)
        self._link_domain = link_domain
        self._context = context
        self._connections: list[NamedConnection] = []

    @property
    def refused(self) -> list[str]:
        """Certificates that are none for the name, or not now."""
        return [each for connection in self._connections for each in connection.refused]

    def _connection(self, rng: Random) -> NamedConnection:
        self._connections.append(NamedConnection(self._addresses, rng, self._link_domain, self._context))
        return self._connections[-1]

    def _request(self, number: int, _: Random) -> bytes:
        return request(self._sealer, number, self._link_domain)

    def _asks_again(self, connection: NamedConnection, seconds: float) -> bool:
        connection.avoid()
        time.sleep(PAUSE_SECONDS)
        return seconds < PATIENCE_SECONDS
