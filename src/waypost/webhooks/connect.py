"""Connections that go where they were checked to go (S5).

The name is resolved here, every address is judged, and the judged address is connected to; TLS and the header `Host`
keep the name. So it does not matter what the name leads to a moment later (rebinding), nor how an address is spelled.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from waypost.config.values import Resolver
from waypost.webhooks.address import Address, AnyNetwork, is_public, is_within
from waypost.webhooks.errors import NoConnectionError, RefusedAddressError, UnknownNameError
from waypost.webhooks.exchange import Exchange

_RESOLVE_SECONDS: Final = 5.0
# An address that does not answer must leave time for the next one.
_CONNECT_SECONDS: Final = 4.0

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
"""All addresses of a name; raises `UnknownNameError`."""


class Names:
    """Asks DNS, and DNS only: what stands in `/etc/hosts` is nobody's receiver.

    Args:
        resolvers: the setting `dns.resolvers`; none: those of this machine.
    """

    def __init__(self, resolvers: Sequence[Resolver]) -> None:
        self._resolvers = resolvers

    async def __call__(self, host: str) -> Sequence[Address]:
        """All addresses of a name.

        Raises:
            UnknownNameError: there are none, or nobody could be asked.
        """
        try:
            # Made anew each time: /etc/resolv.conf may have changed.
            answers = await self._resolver().resolve_name(dns.name.from_text(host), lifetime=_RESOLVE_SECONDS)
            return [ip_address(address) for address in answers.addresses()]
        except dns.exception.DNSException as error:
            raise UnknownNameError(host, str(error) or type(error).__name__) from error

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if not self._resolvers:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(str(each.address), each.port) for each in self._resolvers]
        return resolver


async def dial(address: Address, port: int) -> socket.socket:
    """A socket connected to this address; raises `OSError`."""
    connecting = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004
    connecting.settimeout(0)
    try:
        await asyncio.get_running_loop().sock_connect(connecting, (str(address), port))
    except BaseException:
        connecting.close()
        raise
    return connecting


class Guard:
    """Connects to addresses of the Internet only, and to those of `private_networks`.

    Args:
        resolve: names to addresses.
        private_networks: the setting of this name; plain http goes nowhere else.
        trust: what certificates are judged by.
        connect: to an address that was judged.
    """

    def __init__(
        self,
        resolve: Resolve,
        private_networks: Sequence[AnyNetwork],
        trust: ssl.SSLContext,
        connect: Callable[[Address, int], Awaitable[socket.socket]] = dial,
    ) -> None:
        self._resolve = resolve
        self._private_networks = private_networks
        self._trust = trust
        self._connect = connect

    async def open(self, host: str, port: int, *, secure: bool) -> Exchange:
        """Connect to one of the addresses of `host`, none of which may be another's than the Internet's.

        Raises:
            UnknownNameError: it has none.
            RefusedAddressError: one of them may not be connected to; nothing was connected.
            NoConnectionError: none answers, or its certificate is not valid for `host`.
        """
        connected = await self.reach(host, port, secure=secure)
        loop, trust = asyncio.get_running_loop(), self._trust if secure else None
        try:
            _, exchange = await loop.create_connection(
                Exchange, sock=connected, ssl=trust, server_hostname=host if secure else None
            )
        except BaseException as error:
            connected.close()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise NoConnectionError(str(error)) from error
            raise
        return exchange

    async def reach(self, host: str, port: int, *, secure: bool) -> socket.socket:
        """As `open`, without TLS."""
        addresses = await self._addresses(host)
        for address in addresses:
            if not self._may_connect(address, secure=secure):
                raise RefusedAddressError(host, address)
        failure: OSError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await self._connect(address, port)
            except OSError as error:
                failure = error
        raise NoConnectionError(str(failure or "")) from failure

    async def _addresses(self, host: str) -> Sequence[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            return await self._resolve(host)

    def _may_connect(self, address: Address, *, secure: bool) -> bool:
        return is_within(address, self._private_networks) or (secure and is_public(address))
