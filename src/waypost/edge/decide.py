"""What to answer and what to record: one pure function, tested as a table and benchmarked without a socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple

from waypost.edge.answer import METHOD_NOT_ALLOWED, NOT_FOUND, OPEN_PIXEL, ROBOTS, Answer, redirect
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.links.errors import TokenError
from waypost.links.keyring import Keyring
from waypost.links.token import IpPolicy, Kind, Payload, open_token

KEPT_HEADERS: Mapping[str, int] = {
    "user-agent": 512,
    "accept": 256,
    "accept-encoding": 64,
    "accept-language": 128,
    "dnt": 8,
    "from": 128,
    "purpose": 32,
    "sec-ch-ua": 256,
    "sec-ch-ua-mobile": 8,
    "sec-ch-ua-platform": 64,
    "sec-fetch-dest": 32,
    "sec-fetch-mode": 32,
    "sec-fetch-site": 32,
    "sec-fetch-user": 8,
    "sec-gpc": 8,
    "sec-purpose": 64,
    "x-moz": 32,
    "x-purpose": 32,
}
"""Request headers that tell who reads (a person, a program, which one), with the bytes kept of each. Not Referer and
not Cookie: they tell where she was, which is none of ours."""

_KEPT = {name.encode(): (name, cap) for name, cap in KEPT_HEADERS.items()}
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS = ("prefetch", "preview", "prerender")


class Request(NamedTuple):
    """What the server knows of a request.

    Attributes:
        method: as sent; case matters (RFC 9110, section 9.1).
        target: as sent, query included.
        host: value of Host.
        client_address: of the socket; an IP address without port, or empty.
        headers: lower-case names; values as sent.
    """

    method: bytes
    target: bytes
    host: bytes
    client_address: str
    headers: Mapping[bytes, bytes]


class Refusal(StrEnum):
    """Why there is no redirect: for metrics, never for the reader."""

    METHOD = "method"
    PATH = "path"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SEAL = "bad_seal"


@dataclass(frozen=True, slots=True)
class Edge:
    """What does not change between requests.

    Attributes:
        name: of this worker, in every hit.
        keyring: opens tokens.
    """

    name: str
    keyring: Keyring


class Decision(NamedTuple):
    """What to send, and what to keep before sending it.

    Attributes:
        hit: None when nothing is recorded.
        refusal: None when the request got what it asked for.
    """

    answer: Answer
    hit: Hit | None = None
    refusal: Refusal | None = None


def decide(request: Request, edge: Edge, now: datetime, randomness: bytes) -> Decision:
    """Answer one request.

    Args:
        request: facts of the request.
        edge: facts of this worker.
        now: aware UTC.
        randomness: at least 10 bytes, for the event id.
    """
    if request.method not in _METHODS:
        return Decision(METHOD_NOT_ALLOWED, refusal=Refusal.METHOD)
    path, host = split_target(request.target, request.host)
    token, kind = token_of(path)
    if kind is None:
        fixed = _FIXED.get(path)
        return Decision(fixed) if fixed else Decision(NOT_FOUND, refusal=Refusal.PATH)
    link_domain = link_domain_of(host)
    try:
        payload = open_token(token, link_domain, edge.keyring, kind=kind)
    except TokenError as error:
        return Decision(NOT_FOUND, refusal=Refusal(error.code))
    headers = kept_headers(request.headers)
    hit = Hit(
        event_id=uuid7(int(now.timestamp() * 1000), randomness),
        occurred_at=now,
        edge=edge.name,
        kind=_HIT_KINDS[kind],
        outcome=outcome_of(request.method, headers),
        method=request.method.decode(),
        send_id=payload.send_id,
        privacy=payload.privacy,
        account=payload.account,
        profile=payload.profile,
        link_index=payload.link_index,
        destination=payload.destination,
        link_domain=link_domain,
        client_address=recorded_address(request.client_address, payload.ip_policy),
        headers=headers,
    )
    return Decision(_ANSWERS[kind](payload), hit)


_METHODS = frozenset({b"GET", b"HEAD"})
_TOKEN_ROUTES = (("/c/", "", Kind.CLICK), ("/o/", ".gif", Kind.OPEN))
_FIXED = {"/robots.txt": ROBOTS}
_ANSWERS: Mapping[Kind, Callable[[Payload], Answer]] = {
    Kind.CLICK: lambda payload: redirect(payload.destination),
    Kind.OPEN: lambda _: OPEN_PIXEL,
}
_HIT_KINDS = {Kind.CLICK: HitKind.CLICK, Kind.OPEN: HitKind.OPEN}


def token_of(path: str) -> tuple[str, Kind | None]:
    """The token in a path, and the kind it must be of; no kind when the path is not one of a token."""
    for prefix, suffix, kind in _TOKEN_ROUTES:
        if path.startswith(prefix) and path.endswith(suffix):
            return path[len(prefix) : len(path) - len(suffix)], kind
    return "", None


def split_target(target: bytes, host: bytes) -> tuple[str, str]:
    """Path and host of a request target; whatever follows `?` is dropped, since mail clients append to links.

    A target in absolute form names the host itself (RFC 9112, section 3.2.2).
    """
    path = target.decode("latin-1").partition("?")[0]
    if path.startswith("/"):
        return path, host.decode("latin-1")
    scheme, separator, rest = path.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        authority, slash, path = rest.partition("/")
        return slash + path, authority
    return "", ""


def link_domain_of(host: str) -> str:
    """Host name of a Host header: lower case, without port. An IPv6 literal keeps its brackets."""
    name = host.lower()
    return name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]


def outcome_of(method: bytes, headers: Mapping[str, str]) -> Outcome:
    """Whether a person can have been behind this request."""
    for name in _PREFETCH_HEADERS:
        value = headers.get(name)
        if value and any(word in value.lower() for word in _PREFETCH_WORDS):
            return Outcome.PREFETCH
    return Outcome.HEAD if method == b"HEAD" else Outcome.ANSWERED


def kept_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """What is kept of request headers: capped in bytes, then decoded.

    Bytes that are not UTF-8 are left out, so a value never grows.
    """
    kept = {}
    for sent, value in headers.items():
        if (known := _KEPT.get(sent)) is not None:
            name, cap = known
            kept[name] = value[:cap].decode("utf-8", "ignore")
    return kept


def recorded_address(address: str, policy: IpPolicy) -> str:
    """What may be kept of a client address: whole, its /24 (IPv4) or /48 (IPv6) network, or nothing."""
    if policy is IpPolicy.NONE or not address:
        return ""
    address = address.partition("%")[0].removeprefix("::ffff:" if "." in address else "")
    if policy is IpPolicy.FULL:
        return address
    if ":" not in address:
        return address.rpartition(".")[0] + ".0"
    return str(IPv6Address(int(IPv6Address(address)) >> 80 << 80))
