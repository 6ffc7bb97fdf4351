"""Connections that go where they were checked to go (S5).

The name is resolved here, every address is judged, and the judged address is connected to; TLS and the header `Host`
keep the name. So it does not matter what the name leads to a moment later (rebinding), nor how an address is spelled.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from httpcore import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError, ConnectTimeout

from waypost.config.values import Resolver
from waypost.webhooks.address import Address, AnyNetwork, is_public, is_within
from waypost.webhooks.errors import RefusedAddressError, UnknownNameError

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


class GuardedBackend(AsyncNetworkBackend):
    """Connects to addresses of the Internet only, and to those of `private_networks`.

    Args:
        resolve: names to addresses.
        private_networks: the setting of this name.
        secure: for https; plain http goes to `private_networks` only.
    """

    def __init__(self, resolve: Resolve, private_networks: Sequence[AnyNetwork], *, secure: bool) -> None:
        self._resolve = resolve
        self._private_networks = private_networks
        self._secure = secure
        self._inner = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to one of the addresses of `host`, none of which may be another's than the Internet's.

        Raises:
            UnknownNameError: it has none.
            RefusedAddressError: one of them may not be connected to; nothing was connected.
            ConnectError, ConnectTimeout: none answers.
        """
        addresses = await self._addresses(host.removeprefix("[").removesuffix("]"))
        for address in addresses:
            if not self._may_connect(address):
                raise RefusedAddressError(host, address)
        seconds = _CONNECT_SECONDS if timeout is None else min(timeout, _CONNECT_SECONDS)
        failure: Exception = ConnectError("no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:  # noqa: ANN401, ASYNC109 -- the interface's
        """No receiver is a socket of this machine."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Between retries, of which there are none here."""
        raise NotImplementedError

    async def _addresses(self, host: str) -> Sequence[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            return await self._resolve(host)

    def _may_connect(self, address: Address) -> bool:
        return is_within(address, self._private_networks) or (self._secure and is_public(address))
