"""A hit as the rules look at it: what they ask for again and again, worked out once."""

import re
from functools import lru_cache
from typing import Final
from uuid import UUID

from msgspec import Struct

from waypost.events.hit import HitKind
from waypost.events.verdict.browser import Browser, Engine, browser_of
from waypost.events.verdict.evidence import Evidence, SendFacts
from waypost.events.verdict.network import NetworkKind, kind_of, network_of

_FETCH_METADATA: Final = ("sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest")
_REMEMBERED: Final = 8192
# In the addresses that senders' unsubscribe links lead to, in the languages of many of them.
_UNSUBSCRIBE: Final = re.compile(
    r"unsub|opt[-_]?out|abmeld|abbestell|austragen|d[eé]sinscri|d[eé]sabonn|darse-?de-?baja|cancelar-?suscripci"
    r"|disiscri|cancella-?iscrizione|afmeld|uitschrijv|avregistrer|avprenumerera|wypisz|odhlasit|отпис|配信停止|退订",
    re.IGNORECASE,
)


class Seen(Struct, frozen=True, gc=False):
    """One hit."""

    evidence: Evidence
    is_click: bool
    seconds: float
    """When, since 1970."""
    age: float | None
    """Seconds since delivery."""
    user_agent: str
    network: str
    """/24 or /48; empty when unknown."""
    network_kind: NetworkKind
    browser: Browser
    has_fetch_metadata: bool
    navigates: bool
    """Has every header of a click in a browser."""
    visitor: tuple[str, str, str, str]
    """Hits that agree in this come from one program in one network, as far as can be told."""

    @property
    def order(self) -> tuple[float, UUID]:
        """Sorts hits by time, and those of one instant always alike."""
        return self.seconds, self.evidence.event_id


def see(evidence: Evidence, send: SendFacts) -> Seen:
    """Look at a hit."""
    headers = evidence.headers
    user_agent = headers.get("user-agent", "")
    mode, language = headers.get("sec-fetch-mode", ""), headers.get("accept-language", "")
    network = network_of(evidence.client_address)
    browser = browser_of(user_agent)
    seconds = evidence.occurred_at.timestamp()
    is_click = evidence.kind is HitKind.CLICK
    return Seen(
        evidence=evidence,
        is_click=is_click,
        seconds=seconds,
        age=None if send.delivered_at is None else seconds - send.delivered_at.timestamp(),
        user_agent=user_agent,
        network=network,
        network_kind=kind_of(evidence.as_organisation),
        browser=browser,
        has_fetch_metadata=any(name in headers for name in _FETCH_METADATA),
        navigates=(
            is_click
            and mode == "navigate"
            and language != ""
            and headers.get("sec-fetch-dest") == "document"
            # WebKit does not send it: https://bugs.webkit.org/show_bug.cgi?id=247697
            and (headers.get("sec-fetch-user") == "?1" or browser.engine is Engine.WEBKIT)
        ),
        visitor=(network, user_agent, mode, language),
    )


@lru_cache(maxsize=_REMEMBERED)
def unsubscribes(destination: str) -> bool:
    """Whether a link is there to unsubscribe, by the words in its address."""
    return _UNSUBSCRIBE.search(destination) is not None
