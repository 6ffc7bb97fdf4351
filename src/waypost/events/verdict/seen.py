"""A hit as the rules look at it: what they ask for again and again, worked out once."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from waypost.events.verdict.browser import Browser, Engine
from waypost.events.verdict.evidence import Evidence
from waypost.events.verdict.network import DATA_CENTRES, NetworkKind, network_of

_REMEMBERED: Final = 8192
# In the addresses that senders' unsubscribe links lead to, in the languages of many of them.
_UNSUBSCRIBE: Final = (
    r"unsub|opt[-_]?out|abmeld|abbestell|austragen|d[eé]sinscri|d[eé]sabonn|darse-?de-?baja|cancelar-?suscripci"
    r"|disiscri|cancella-?iscrizione|afmeld|uitschrijv|avregistrer|avprenumerera|wypisz|odhlasit|отпис|配信停止|退订"
)
_IN_LOWER_CASE: Final = re.compile(_UNSUBSCRIBE)
_IN_ANY_CASE: Final = re.compile(_UNSUBSCRIBE, re.IGNORECASE)


Visitor = tuple[str, str, str, str]


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


class Known:
    """What follows from a request."""

    def __init__(self, request: Request, signs: int) -> None:
        """Keep it.

        Args:
            request: what it follows from.
            signs: those of the request, as `signs.py` writes them.
        """
        self.is_click: Final = request.is_click
        self.is_prefetch: Final = request.is_prefetch
        self.navigates: Final = request.navigates
        self.in_data_centre: Final = request.network_kind in DATA_CENTRES
        self.signs: Final = signs


class Seen:
    """One hit."""

    def __init__(self, evidence: Evidence, known: Known, delivered_at: float | None) -> None:
        """Look at it.

        Args:
            evidence: of the hit.
            known: from its request.
            delivered_at: in seconds since 1970.
        """
        self.evidence: Final = evidence
        self.known: Final = known
        self.link: Final = evidence.link_index
        seconds = evidence.occurred_at.timestamp()
        self.seconds: Final = seconds
        """When, since 1970."""
        self.age: Final = None if delivered_at is None else seconds - delivered_at
        """Seconds since delivery."""
        self._network: str | None = None
        self._visitor: Visitor | None = None

    @property
    def network(self) -> str:
        """/24 or /48; empty when unknown."""
        if self._network is None:
            self._network = network_of(self.evidence.client_address)
        return self._network

    @property
    def visitor(self) -> Visitor:
        """Hits that agree in this come from one program in one network, as far as can be told."""
        if self._visitor is None:
            header = self.evidence.headers.get
            agent, mode, language = (
                header("user-agent", ""),
                header("sec-fetch-mode", ""),
                header("accept-language", ""),
            )
            self._visitor = self.network, agent, mode, language
        return self._visitor


@lru_cache(maxsize=_REMEMBERED)
def unsubscribes(destination: str) -> bool:
    """Whether a link is there to unsubscribe, by the words in its address."""
    # Ten times as quick: where the case matters, the first letters of the words are looked for in one go. Not of other
    # letters than ASCII's, some of which `lower` turns into two.
    if destination.isascii():
        return _IN_LOWER_CASE.search(destination.lower()) is not None
    return _IN_ANY_CASE.search(destination) is not None
