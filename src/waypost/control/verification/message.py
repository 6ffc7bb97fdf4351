"""A DNS message, read into a reply: which aliases it follows, and what stands at their end."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from waypost.control.verification.answers import Outcome, RecordType, Reply

MAX_CNAMES: Final = 8
"""Followed one after the other. Resolvers give up between 8 (Unbound until 2022) and 16 (BIND)."""
_TTL_MAX: Final = 2**31 - 1
"""RFC 2181, section 8."""


def joined(path: tuple[str, ...], further: Reply) -> Reply:
    """The reply to what `path` led to, as a reply to what `path` began with."""
    whole = (*path, *further.path[1:])
    again = next((at for at, name in enumerate(whole) if name in whole[:at]), None)
    if again is not None:
        return Reply(Outcome.CIRCLE, whole[: again + 1])
    if len(whole) > MAX_CNAMES + 1:
        return Reply(Outcome.TOO_LONG, whole)
    return replace(further, path=whole)


def is_unfinished(reply: Reply, ends: Container[str]) -> bool:
    """Whether it ends with an alias whose target has still to be asked for."""
    return reply.outcome is Outcome.FOUND and not reply.values and reply.path[-1] not in ends


def read(message: dns.message.Message, name: str, kind: RecordType, *, authoritative: bool) -> Reply:
    """What an answer says of a name. An alias whose target it does not speak of is `FOUND` without values.

    Args:
        message: NOERROR or NXDOMAIN.
        name: that was asked for.
        kind: of record.
        authoritative: the server was asked as one of the zone's own: only as such may it say that nothing is there.
    """
    wanted = dns.rdatatype.from_text(kind)
    path: tuple[str, ...] = (name,)
    ttls: list[int] = []
    while True:
        here = {each.rdtype: each for each in message.answer if name_of(each.name) == path[-1]}
        if wanted in here:
            ttl = min(*ttls, here[wanted].ttl) if ttls else here[wanted].ttl
            return Reply(Outcome.FOUND, path, tuple(values_of([here[wanted]], wanted)), ttl)
        alias = here.get(dns.rdatatype.CNAME)
        if alias is None:
            break
        ttls.append(alias.ttl)
        step = joined(path, Reply(Outcome.FOUND, (path[-1], *values_of([alias], dns.rdatatype.CNAME)[:1])))
        if step.outcome is not Outcome.FOUND:
            return step
        path = step.path
    denial = next((each for each in message.authority if each.rdtype == dns.rdatatype.SOA), None)
    if denial is not None:
        ttls += [denial.ttl, *(each.minimum for each in denial)]  # RFC 2308, section 5
    ttl = min(ttls, default=0)
    if len(path) > 1 and denial is None and message.rcode() == dns.rcode.NOERROR:
        return Reply(Outcome.FOUND, path, (), ttl)
    if authoritative and not message.flags & dns.flags.AA:
        return Reply(Outcome.FAILED, path, failure="does not answer for the zone that it is said to serve")
    return Reply(Outcome.NO_NAME if message.rcode() == dns.rcode.NXDOMAIN else Outcome.NO_RECORD, path, (), ttl)


def name_of(name: dns.name.Name) -> str:
    """As names are written here: lower case, no final dot."""
    return name.to_text(omit_final_dot=True).lower()


def values_of(sets: Iterable[dns.rrset.RRset], kind: dns.rdatatype.RdataType) -> list[str]:
    """What records of a type hold, in a fixed order."""
    return sorted(_VALUES[kind](record) for each in sets if each.rdtype == kind for record in each)


def _shown(data: bytes) -> str:
    """As text that can be kept everywhere: PostgreSQL's JSON holds no NUL."""
    return data.decode("utf-8", "backslashreplace").replace("\0", r"\x00")


def _caa(record: Any) -> str:  # noqa: ANN401 -- dnspython makes its record types at run time
    """Letter case of a tag makes no difference (RFC 8659, section 4.1)."""
    return f'{record.flags} {record.tag.decode().lower()} "{_shown(record.value)}"'


_VALUES: Final[Mapping[dns.rdatatype.RdataType, Callable[[Any], str]]] = {
    dns.rdatatype.A: lambda record: str(record.address),
    dns.rdatatype.AAAA: lambda record: str(ip_address(record.address)),
    dns.rdatatype.CAA: _caa,
    dns.rdatatype.CNAME: lambda record: name_of(record.target),
    dns.rdatatype.MX: lambda record: f"{record.preference} {name_of(record.exchange)}",
    dns.rdatatype.NS: lambda record: name_of(record.target),
    dns.rdatatype.TXT: lambda record: _shown(b"".join(record.strings)),
}
