"""A hit as the rules look at it: what they ask for again and again, worked out once."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from waypost.events.verdict.browser import Browser, Engine
from waypost.events.verdict.evidence import Evidence
from waypost.events.verdict.network import NetworkKind, network_of

_REMEMBERED: Final = 8192
# In the addresses that senders' unsubscribe links lead to, in the languages of many of them.
_UNSUBSCRIBE: Final = re.compile(
    r"unsub|opt[-_]?out|abmeld|abbestell|austragen|d[eé]sinscri|d[eé]sabonn|darse-?de-?baja|cancelar-?suscripci"
    r"|disiscri|cancella-?iscrizione|afmeld|uitschrijv|avregistrer|avprenumerera|wypisz|odhlasit|отпис|配信停止|退订",
    re.IGNORECASE,
)


class Request(NamedTuple):
    """What a hit says without its time and address: the same for thousands, so looked at once for all of them."""

    browser: Browser
    """The one that it says it is."""
    network_kind: NetworkKind
    is_click: bool
    is_head: bool
    is_prefetch: bool
    is_bot: bool
    is_proxy_ahead: bool
    """Comes from an image proxy that fetches when a message arrives."""
    is_proxy_on_open: bool
    """Comes from one that fetches when it is opened."""
    is_gmail_ahead: bool
    """Has the user agent by which Gmail fetches for readers who have it open when a message comes."""
    has_headers: bool
    has_user_agent: bool
    has_language: bool
    has_fetch_metadata: bool
    """Any of what browsers send of it."""
    navigates_to_document: bool
    """Its Fetch Metadata says so."""
    is_activated: bool
    """By a user: Sec-Fetch-User."""
    secure: bool

    @property
    def navigates(self) -> bool:
        """Has every header of a click in a browser."""
        # WebKit sends no Sec-Fetch-User: https://bugs.webkit.org/show_bug.cgi?id=247697
        is_activated = self.is_activated or self.browser.engine is Engine.WEBKIT
        return self.is_click and self.navigates_to_document and self.has_language and is_activated


class Seen(Struct, frozen=True, gc=False):
    """One hit."""

    evidence: Evidence
    is_click: bool
    navigates: bool
    network_kind: NetworkKind
    seconds: float
    """When, since 1970."""
    age: float | None
    """Seconds since delivery."""
    signs: int
    """Of its request, as `signs.py` writes them."""

    @property
    def network(self) -> str:
        """/24 or /48; empty when unknown."""
        return network_of(self.evidence.client_address)

    @property
    def visitor(self) -> tuple[str, str, str, str]:
        """Hits that agree in this come from one program in one network, as far as can be told."""
        header = self.evidence.headers.get
        return self.network, header("user-agent", ""), header("sec-fetch-mode", ""), header("accept-language", "")


@lru_cache(maxsize=_REMEMBERED)
def unsubscribes(destination: str) -> bool:
    """Whether a link is there to unsubscribe, by the words in its address."""
    return _UNSUBSCRIBE.search(destination) is not None
