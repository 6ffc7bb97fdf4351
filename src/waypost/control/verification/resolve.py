"""Asks DNS: a zone's own name servers, which know of a change at once, and resolvers, which say what the world sees.

Resolvers remember for an hour or a day that a name was not there. So they are not asked for a record before the name
servers have it, nor while these can be reached: only to confirm a loss, or where port 53 is closed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from waypost.config.values import DNS_PORT, Resolver
from waypost.control.verification.answers import Outcome, RecordType, Reply, View
from waypost.control.verification.judge import Seen
from waypost.control.verification.message import is_unfinished, joined, name_of, read, values_of
from waypost.control.verification.records import Expected, Purpose
from waypost.control.verification.suffixes import registrable_domain

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_NAME_SERVER: Final = True
_ANSWERS: Final = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
_TRIES: Final = 2
_TRY_SECONDS: Final = 2.0
"""A packet may be lost; a server that takes longer makes readers wait as well."""
_PAYLOAD_BYTES: Final = 1232
"""What fits into a packet everywhere (DNS flag day 2020); longer answers come over TCP."""
_SERVERS_ASKED: Final = 4
_REFERRALS: Final = 6
"""From a registered domain downward; two are rare already."""
_NAME_MAX: Final = 253

_QUESTIONS: Final[Mapping[Purpose, tuple[RecordType, ...]]] = {
    Purpose.DKIM: (RecordType.TXT,),
    Purpose.DKIM_ED25519: (RecordType.TXT,),
    Purpose.BOUNCE: (RecordType.MX, RecordType.TXT),
    Purpose.SPF: (RecordType.TXT,),
    Purpose.LINK: (RecordType.A, RecordType.AAAA),
    Purpose.OWNERSHIP: (RecordType.TXT,),
    Purpose.DMARC: (RecordType.TXT,),
}


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet: whoever writes a zone must not have us knock at our own doors."""
    return ip_address(address).is_global


def system_resolvers() -> list[Resolver]:
    """Those of this machine; none when it has no `/etc/resolv.conf`."""
    try:
        found = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration:
        return []
    return [Resolver(ip_address(address), DNS_PORT) for address in found if isinstance(address, str)]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that can be asked."""

    label: str
    """For people."""
    address: str
    port: int
    authoritative: bool


class Lookups:
    """The questions of one check; nothing is asked twice.

    Args:
        resolvers: asked for where name servers are, and for second opinions.
        ask_name_servers: ask a zone's own servers first.
        ends: names at which CNAME records are followed no further: this install's own.
        port: of name servers; tests have another.
        may_ask: which addresses may be sent a question that somebody else's zone leads to.
    """

    def __init__(
        self,
        resolvers: Sequence[Resolver],
        *,
        ask_name_servers: bool,
        ends: Iterable[str] = (),
        port: int = DNS_PORT,
        may_ask: Callable[[str], bool] = is_public,
    ) -> None:
        self._resolvers = [
            Server(f"resolver {each}", str(each.address), each.port, not _NAME_SERVER) for each in resolvers
        ]
        self._ask_name_servers = ask_name_servers
        self._ends = frozenset(ends) - {""}
        self._port = port
        self._may_ask = may_ask
        self._answers: dict[tuple[Server, str, RecordType], asyncio.Task[Reply]] = {}
        self._zones: dict[str, asyncio.Task[list[Server]]] = {}

    async def see(self, expected: Expected, *, second_opinion: Callable[[Seen], bool]) -> Seen:
        """What is to be seen of a record.

        Args:
            expected: the record.
            second_opinion: whether to ask the resolvers too, told what the name servers said.
        """
        views = await self._views(expected, await self.name_servers(expected.name))
        answered = any(reply.outcome is not Outcome.FAILED for view in views for reply in view.replies.values())
        if not answered or second_opinion(Seen(views)):
            views += await self._views(expected, self._resolvers)
        return await self._doubled(expected, views)

    async def addresses(self, name: str) -> frozenset[str]:
        """All addresses of a name of ours, by the first resolver that knows; none when none does."""
        for server in self._resolvers:
            replies = await asyncio.gather(*(self._ask(server, name, kind) for kind in _QUESTIONS[Purpose.LINK]))
            if found := frozenset(value for reply in replies for value in reply.values):
                return found
        return frozenset()

    async def certificate_authorities(self, name: str) -> Reply:
        """The CAA records that count for a name: its own, or the nearest upward (RFC 8659, section 3).

        An alias has those of its target, which is a name of ours most of the time.
        """
        labels = name.split(".")
        reply = Reply(Outcome.NO_NAME, (name,))
        for at in range(len(labels)):
            parent = ".".join(labels[at:])
            reply = await self._authorities_at(parent)
            if reply.values or parent == registrable_domain(parent):
                break  # above it stands nothing about this name alone
        return reply

    async def _authorities_at(self, name: str) -> Reply:
        reply = await self._first_asked(await self.name_servers(name) or self._resolvers, name)
        if reply.outcome is Outcome.FOUND and not reply.values:
            return await self._first_asked(self._resolvers, reply.path[-1])
        return reply

    async def _first_asked(self, servers: Sequence[Server], name: str) -> Reply:
        reply = Reply(Outcome.NO_NAME, (name,))
        for server in servers:
            reply = await self._ask(server, name, RecordType.CAA)
            if reply.outcome is not Outcome.FAILED:
                break
        return reply

    async def name_servers(self, name: str) -> list[Server]:
        """Those of the zone that a name is in; none when they are not to be asked or cannot be found."""
        zone = registrable_domain(name)
        if not self._ask_name_servers or zone is None:
            return []
        servers = await _once(self._zones, zone, lambda: self._servers_of(zone))
        return await _once(self._zones, f"{name}/", lambda: self._refer(servers, name))

    async def _views(self, expected: Expected, servers: Sequence[Server]) -> list[View]:
        return list(await asyncio.gather(*(self._view(expected, server) for server in servers)))

    async def _view(self, expected: Expected, server: Server) -> View:
        kinds = _QUESTIONS[expected.purpose]
        replies = await asyncio.gather(*(self._ask(server, expected.name, kind) for kind in kinds))
        also = {kind: await self._also(server, expected.also, kind) for kind in kinds if expected.also}
        return View(server.label, server.authoritative, dict(zip(kinds, replies, strict=True)), also)

    async def _also(self, server: Server, name: str, kind: RecordType) -> Reply:
        """What stands at another name, which may be in another zone than the one that `server` serves."""
        servers = await self.name_servers(name) if server.authoritative else [server]
        return await self._ask((servers or [server])[0], name, kind)

    async def _doubled(self, expected: Expected, views: list[View]) -> Seen:
        """Whether what is nowhere was published with the zone's name twice, which many forms make of a full name."""
        zone = registrable_domain(expected.name)
        replies = [reply for view in views for reply in view.replies.values()]
        absent = all(reply.outcome in {Outcome.NO_NAME, Outcome.NO_RECORD} for reply in replies)
        doubled = f"{expected.name}.{zone}"
        if not views or not absent or zone in {None, expected.name} or len(doubled) > _NAME_MAX:
            return Seen(views)
        servers = await self.name_servers(expected.name) or self._resolvers
        asked = await asyncio.gather(
            *(self._ask(servers[0], doubled, kind) for kind in _QUESTIONS[expected.purpose] if servers)
        )
        there = any(reply.outcome is Outcome.FOUND or len(reply.path) > 1 for reply in asked)
        return Seen(views, doubled, str(zone)) if there else Seen(views)

    async def _ask(self, server: Server, name: str, kind: RecordType) -> Reply:
        return await _once(self._answers, (server, name, kind), lambda: self._follow(server, name, kind))

    async def _follow(self, server: Server, name: str, kind: RecordType) -> Reply:
        """Ask, and ask on where an alias leads out of what the server knows."""
        reply = await self._exchange(server, name, kind)
        while is_unfinished(reply, self._ends):
            target = reply.path[-1]
            others = await self.name_servers(target) if server.authoritative else [server]
            reply = joined(reply.path, await self._first_answer(others or self._resolvers, target, kind))
        return reply

    async def _first_answer(self, servers: Sequence[Server], name: str, kind: RecordType) -> Reply:
        reply = _failed(name, "has no name server that could be found")
        for server in servers:
            reply = await self._exchange(server, name, kind)
            if reply.outcome is not Outcome.FAILED:
                break
        return reply

    async def _exchange(self, server: Server, name: str, kind: RecordType) -> Reply:
        message = await self._query(server, name, kind)
        if not isinstance(message, Reply):
            return read(message, name, kind, authoritative=server.authoritative)
        return message

    async def _query(self, server: Server, name: str, kind: RecordType) -> dns.message.Message | Reply:
        """One question to one server: its message, or why there is none."""
        try:
            query = dns.message.make_query(f"{name}.", kind, use_edns=0, payload=_PAYLOAD_BYTES)
        except dns.exception.DNSException as error:  # a name of ours before a domain that is as long as one may be
            return _failed(name, f"cannot be asked for {name} ({type(error).__name__})")
        if server.authoritative:
            query.flags &= ~dns.flags.RD
        failure = ""
        for _ in range(_TRIES):
            try:
                message, _tcp = await dns.asyncquery.udp_with_fallback(
                    query, server.address, _TRY_SECONDS, server.port, ignore_unexpected=True, ignore_errors=True
                )
            except dns.exception.Timeout:
                failure = f"did not answer within {_TRIES * _TRY_SECONDS:g} seconds"
            except (OSError, EOFError) as error:
                failure = f"cannot be reached ({error})"
            except dns.exception.DNSException as error:
                failure = f"sent something that is no answer ({type(error).__name__})"
            else:
                if message.rcode() in _ANSWERS:
                    return message
                return _failed(name, f"answered {dns.rcode.to_text(message.rcode())}")
        return _failed(name, failure)

    async def _servers_of(self, zone: str) -> list[Server]:
        """The name servers of a registered domain, or of the zone above that holds it, as resolvers know them."""
        for resolver in self._resolvers:
            message = await self._query(resolver, zone, RecordType.NS)
            if isinstance(message, Reply):
                continue
            names = values_of(message.answer, dns.rdatatype.NS)
            above = next((name_of(each.name) for each in message.authority if each.rdtype == dns.rdatatype.SOA), zone)
            if not names and zone.endswith(f".{above}"):
                message = await self._query(resolver, above, RecordType.NS)
                names = [] if isinstance(message, Reply) else values_of(message.answer, dns.rdatatype.NS)
            return await self._located(names)
        return []

    async def _refer(self, servers: list[Server], name: str) -> list[Server]:
        """From a zone's servers to those of the zone below it that holds the name."""
        for _ in range(_REFERRALS):
            message = await self._first_message(servers, name)
            if message is None or message.flags & dns.flags.AA or message.answer:
                break
            below = values_of(message.authority, dns.rdatatype.NS)
            if not below:
                break
            servers = await self._located(below)
        return servers

    async def _first_message(self, servers: Sequence[Server], name: str) -> dns.message.Message | None:
        for server in servers:
            message = await self._query(server, name, RecordType.NS)
            if not isinstance(message, Reply):
                return message
        return None

    async def _located(self, names: Sequence[str]) -> list[Server]:
        """Servers with these names, each by one of its addresses: IPv4 if there is one, for not all have IPv6."""
        asked = sorted(names)[:_SERVERS_ASKED]
        found = await asyncio.gather(*map(self.addresses, asked))
        allowed = {name: [*filter(self._may_ask, addresses)] for name, addresses in zip(asked, found, strict=True)}
        return [
            Server(
                f"name server {name}", min(addresses, key=lambda each: (":" in each, each)), self._port, _NAME_SERVER
            )
            for name, addresses in allowed.items()
            if addresses
        ]


def _ipv4_first(address: str) -> tuple[bool, str]:
    return ":" in address, address


def _failed(name: str, failure: str) -> Reply:
    return Reply(Outcome.FAILED, (name,), failure=failure)


async def _once(
    tasks: dict[_Key, asyncio.Task[_Value]], key: _Key, ask: Callable[[], Coroutine[Any, Any, _Value]]
) -> _Value:
    """What `ask` gives, asked but once for one key."""
    if key not in tasks:
        tasks[key] = asyncio.create_task(ask())
    return await tasks[key]
