"""What to answer and what to record: one pure function, tested as a table and benchmarked without a socket."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from waypost.edge.answer import (
    GONE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    NOT_FOUND_WITH_HOME,
    OPEN_PIXEL,
    ROBOTS,
    Answer,
    plain,
    redirect,
    where,
)
from waypost.edge.forwarded import NO_FRONT, Front, client_of, host_of
from waypost.edge.repair import candidates
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.fleet.proof import NONCE, prove
from waypost.fleet.snapshot import Blocks, PublishedDomain, Snapshot
from waypost.links.errors import InvalidPayload, TokenError
from waypost.links.keyring import Keyring
from waypost.links.token import IpPolicy, Kind, Payload, check_destination, open_token, read_header
from waypost.spool.counters import Seen

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

_REMEMBERED = 1024
"""Hosts and addresses whose spelling is not looked at anew in every request: a front's clients come back."""
_HOST_MAX: Final = 300
"""No name is longer than 253 characters, with its port. What is remembered must not be as long as a client likes."""
_KEPT: Final = {name.encode(): (name, cap) for name, cap in KEPT_HEADERS.items()}
_PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS: Final = ("prefetch", "preview", "prerender")


@dataclass(slots=True)
class Request:
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
    headers: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Edge:
    """What does not change between requests.

    Attributes:
        name: of this worker, in every hit.
        keyring: opens tokens.
        snapshot: what control published last; None: nothing yet, and so nothing is known to be blocked.
        front: which proxies are trusted.
    """

    name: str
    keyring: Keyring
    snapshot: Snapshot | None = None
    front: Front = NO_FRONT
    blocks: Blocks | None = field(init=False)
    """None when nothing is blocked: the usual case costs one look."""

    def __post_init__(self) -> None:
        blocks = self.snapshot.blocks if self.snapshot else None
        object.__setattr__(self, "blocks", blocks or None)

    def domain(self, link_domain: str) -> PublishedDomain:
        """What is published of a link domain; nothing, for one that is not."""
        return self.snapshot.link_domains.get(link_domain, _UNPUBLISHED) if self.snapshot else _UNPUBLISHED


_UNPUBLISHED = PublishedDomain()


@dataclass(slots=True)
class Decision:
    """What to send, what to keep before sending it, and what to count.

    Attributes:
        answer: to send.
        seen: what became of the request.
        hit: None when nothing is recorded.
        repaired: the token opened only after damage was undone.
    """

    answer: Answer
    seen: Seen
    hit: Hit | None = None
    repaired: bool = False


def decide(request: Request, edge: Edge, now: datetime, randomness: bytes) -> Decision:
    """Answer one request.

    Args:
        request: facts of the request.
        edge: facts of this worker.
        now: aware UTC.
        randomness: at least 10 bytes, for the event id.
    """
    if request.method not in _METHODS:
        return Decision(METHOD_NOT_ALLOWED, Seen.REFUSED_METHOD)
    host = host_of(request.host, request.client_address, request.headers, edge.front)
    path, host_name = split_target(request.target, host)
    link_domain = link_domain_of(host_name[:_HOST_MAX])
    text, route = token_of(path)
    if route is None and (fixed := _without_token(path, link_domain, edge)) is not None:
        return fixed
    opened = _open(path, text, route, link_domain, edge.keyring)
    if not isinstance(opened, _Opened):
        return Decision(_not_found(link_domain, edge), opened)
    payload = opened.payload
    blocked = edge.blocks is not None and edge.blocks.blocking(payload, read_header(opened.text).key_id) is not None
    if opened.route.hit_kind is None:
        sender = edge.domain(link_domain).sending_domain or link_domain
        page = where(payload.destination, sender, blocked=blocked)
        return Decision(page, Seen.WHERE, repaired=opened.repaired)
    headers = kept_headers(request.headers)
    client = client_of(request.client_address, request.headers, edge.front)
    hit = Hit(
        event_id=uuid7(int(now.timestamp() * 1000), randomness),
        occurred_at=now,
        edge=edge.name,
        kind=opened.route.hit_kind,
        outcome=Outcome.BLOCKED if blocked else outcome_of(request.method, headers),
        method=request.method.decode(),
        send_id=payload.send_id,
        privacy=payload.privacy,
        account=payload.account,
        profile=payload.profile,
        link_index=payload.link_index,
        destination=payload.destination,
        link_domain=link_domain,
        client_address=recorded_address(client, payload.ip_policy),
        headers=headers,
    )
    if blocked:
        answer, seen = GONE, Seen.BLOCKED
    elif payload.kind is Kind.CLICK:
        answer, seen = redirect(payload.destination), Seen.CLICK
    else:
        answer, seen = OPEN_PIXEL, Seen.OPEN
    return Decision(answer, seen, hit, opened.repaired)


def _open(path: str, text: str, route: "_Route | None", link_domain: str, keyring: Keyring) -> "_Opened | Seen":
    """The token of a path as it stands or, failing that, with its damage undone; else why there is none."""
    refused = Seen.REFUSED_PATH
    if route is not None:
        try:
            return _Opened(route, text, open_token(text, link_domain, keyring, kind=route.kind))
        except TokenError as error:
            refused = _REFUSED[error.code]
    for candidate in candidates(path):
        meant = _ROUTES[candidate.route]
        with suppress(TokenError):
            payload = open_token(candidate.token, link_domain, keyring, kind=meant.kind)
            return _Opened(meant, candidate.token, payload, repaired=True)
    return refused


def _without_token(path: str, link_domain: str, edge: Edge) -> Decision | None:
    """Answer a path that carries no token; None: there is nothing at it."""
    if path == "/robots.txt":
        return Decision(ROBOTS, Seen.FIXED)
    if path == "/" and (home := _home(link_domain, edge)):
        return Decision(redirect(home), Seen.DEFAULT_REDIRECT)
    nonce = path.removeprefix(_PROOF_PREFIX)
    if nonce != path and NONCE.fullmatch(nonce):
        return Decision(plain(prove(nonce, link_domain, edge.keyring)), Seen.FIXED)
    return None


def _home(link_domain: str, edge: Edge) -> str:
    """Where the bare link domain leads; empty when nowhere, or not to what may stand in a header."""
    home = edge.domain(link_domain).default_redirect
    try:
        check_destination(home)
    except InvalidPayload:
        return ""
    return home


def _not_found(link_domain: str, edge: Edge) -> Answer:
    return NOT_FOUND_WITH_HOME if _home(link_domain, edge) else NOT_FOUND


class _Route(NamedTuple):
    """A path with a token in it.

    Attributes:
        prefix: of the path.
        suffix: of the path.
        kind: of its tokens.
        hit_kind: what is recorded; None: nothing.
    """

    prefix: str
    suffix: str
    kind: Kind
    hit_kind: HitKind | None


class _Opened:
    """A token that opened."""

    __slots__ = ("payload", "repaired", "route", "text")

    def __init__(self, route: _Route, text: str, payload: Payload, *, repaired: bool = False) -> None:
        self.route = route
        self.text = text
        self.payload = payload
        self.repaired = repaired


_METHODS: Final = frozenset({b"GET", b"HEAD"})
_ROUTES: Final = {
    "c": _Route("/c/", "", Kind.CLICK, HitKind.CLICK),
    "o": _Route("/o/", ".gif", Kind.OPEN, HitKind.OPEN),
    "where": _Route("/where/", "", Kind.CLICK, None),
}
_SHAPES: Final = [(route.prefix, route.suffix, route) for route in _ROUTES.values()]
_PROOF_PREFIX: Final = "/.well-known/waypost/"
_REFUSED: Final = {
    "malformed": Seen.REFUSED_MALFORMED,
    "unknown_key": Seen.REFUSED_UNKNOWN_KEY,
    "bad_seal": Seen.REFUSED_BAD_SEAL,
}


def token_of(path: str) -> tuple[str, _Route | None]:
    """The token in a path, and its route; no route when the path is not one of a token."""
    for prefix, suffix, route in _SHAPES:
        if path.startswith(prefix) and path.endswith(suffix):
            return path[len(prefix) : len(path) - len(suffix)], route
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
        authority, _, path = rest.partition("/")
        return f"/{path}", authority
    return "", ""


@lru_cache(maxsize=_REMEMBERED)
def link_domain_of(host: str) -> str:
    """Host name of a Host header: lower case, without port and final dot. An IPv6 literal keeps its brackets."""
    name = host.lower()
    return name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0].removesuffix(".")


def outcome_of(method: bytes, headers: dict[str, str]) -> Outcome:
    """Whether a person can have been behind this request."""
    for name in _PREFETCH_HEADERS:
        if name in headers:
            said = headers[name].lower()
            if any(word in said for word in _PREFETCH_WORDS):
                return Outcome.PREFETCH
    return Outcome.HEAD if method == b"HEAD" else Outcome.ANSWERED


def kept_headers(headers: dict[bytes, bytes]) -> dict[str, str]:
    """What is kept of request headers: capped in bytes, then decoded.

    Bytes that are not UTF-8 are left out, so a value never grows.
    """
    kept = {}
    for sent, value in headers.items():
        if (known := _KEPT.get(sent)) is not None:
            name, cap = known
            kept[name] = value[:cap].decode("utf-8", "ignore")
    return kept


@lru_cache(maxsize=_REMEMBERED)
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
