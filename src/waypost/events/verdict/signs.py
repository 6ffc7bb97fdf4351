"""Signs: which rules hold of a hit, as one number with a bit for each, and the verdict that follows from them.

A collector asks about tens of thousands of hits a second. Most are alike but for time and address, so what follows
from a request, and from a set of signs, is worked out once and remembered.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from waypost.events.client import Client, DeviceType, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict.browser import Browser, browser_of
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict, VerdictClass
from waypost.events.verdict.network import NetworkKind, kind_of
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.rules import DECISIVE, DOUBT_FROM, MACHINE_FROM, REQUEST_RULES, RULES, RULES_VERSION
from waypost.events.verdict.seen import Known, Request, Seen

_REMEMBERED: Final = 16_384
# Looked up once, for to look up a member of an enum costs as much as all that is done with it.
_CLICK: Final = HitKind.CLICK
_HEAD: Final = Outcome.HEAD
_PREFETCH: Final = Outcome.PREFETCH
_BOT: Final = DeviceType.BOT
_APPLE: Final = ImageProxy.APPLE
_GOOGLE: Final = ImageProxy.GOOGLE
_YAHOO: Final = ImageProxy.YAHOO
_NETWORK_KINDS: Final = list(NetworkKind)
# Gmail, for readers who have it open when a message comes:
# https://bird.com/en-us/blog/gmail-prefetching-images
_GMAIL_AHEAD: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
BIT: Final = {reason: 1 << place for place, reason in enumerate(RULES)}


_OfHeaders = tuple[Browser, bool, bool, bool, bool, bool, bool, bool]
_OfRest = int
"""A bit for each of what a request says beside its headers, and above them the place of its network's kind."""


class Looks:
    """Looks at hits, at what they have in common once.

    Headers are told apart by identity: to compare them costs as much as to look. So they must outlive this.
    """

    def __init__(self, send: SendFacts) -> None:
        """For hits of sends like this one."""
        self._secure: Final = send.secure
        self._by_headers: Final[dict[int, dict[_OfRest, Known]]] = {}
        self._alike: Final[dict[_OfHeaders, dict[_OfRest, Known]]] = {}
        self._networks: Final[dict[str, int]] = {}

    def known(
        self, headers: Mapping[str, str], kind: HitKind, outcome: Outcome, client: Client, as_organisation: str
    ) -> Known:
        """What follows from a request that says this."""
        alike = self._by_headers.get(id(headers))
        if alike is None:
            alike = self._by_headers[id(headers)] = self._alike.setdefault(_of_headers(headers), {})
        network = self._networks.get(as_organisation)
        if network is None:
            network = self._networks[as_organisation] = _NETWORK_KINDS.index(kind_of(as_organisation))
        device_type, proxy = client.device_type, client.image_proxy
        is_click, is_head, is_prefetch = kind is _CLICK, outcome is _HEAD, outcome is _PREFETCH
        is_bot, is_proxy_ahead = device_type is _BOT, proxy is _APPLE
        is_proxy_on_open = proxy is _GOOGLE or proxy is _YAHOO
        rest = is_click + 2 * is_head + 4 * is_prefetch + 8 * is_bot + 16 * is_proxy_ahead + 32 * is_proxy_on_open
        rest += 64 * network
        found = alike.get(rest)
        if found is None:
            say = _of_headers(headers)
            found = alike[rest] = _known(
                Request(
                    browser=say[0],
                    network_kind=_NETWORK_KINDS[network],
                    is_click=is_click,
                    is_head=is_head,
                    is_prefetch=is_prefetch,
                    is_bot=is_bot,
                    is_proxy_ahead=is_proxy_ahead,
                    is_proxy_on_open=is_proxy_on_open,
                    is_gmail_ahead=say[1],
                    has_headers=say[2],
                    has_user_agent=say[3],
                    has_language=say[4],
                    has_fetch_metadata=say[5],
                    navigates_to_document=say[6],
                    is_activated=say[7],
                    secure=self._secure,
                )
            )
        return found


def _of_headers(headers: Mapping[str, str]) -> _OfHeaders:
    """What requests with these headers have in common, in the order of `Looks.known`."""
    user_agent = headers.get("user-agent", "")
    mode, destination = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "")
    return (
        browser_of(user_agent),
        user_agent == _GMAIL_AHEAD,
        bool(headers),
        bool(user_agent),
        bool(headers.get("accept-language")),
        bool(mode or destination or headers.get("sec-fetch-site")),
        mode == "navigate" and destination == "document",
        headers.get("sec-fetch-user") == "?1",
    )


@lru_cache(maxsize=_REMEMBERED)
def _known(request: Request) -> Known:
    return Known(request, sum([BIT[rule.reason] for rule in REQUEST_RULES if rule.holds(request)]))


def see(evidence: Evidence, send: SendFacts, looks: Looks) -> Seen:
    """Look at a hit of a send."""
    known = looks.known(evidence.headers, evidence.kind, evidence.outcome, evidence.client, evidence.as_organisation)
    delivered_at = send.delivered_at
    return Seen(evidence, known, None if delivered_at is None else delivered_at.timestamp())


@lru_cache(maxsize=_REMEMBERED)
def verdict_of(signs: int, final: bool) -> Verdict:  # noqa: FBT001 - a key by position costs half of one by name
    """What signs amount to."""
    reasons = [reason for reason, bit in BIT.items() if signs & bit] or [Reason.NO_SIGN]
    points = [RULES[reason].points for reason in reasons]
    score = DECISIVE if max(points) >= DECISIVE else max(-DECISIVE, min(sum(points), DECISIVE - 1))
    reasons.sort(key=lambda reason: -abs(RULES[reason].points))
    return Verdict(
        verdict_class=_class_of(score),
        score=score,
        reasons=tuple(reasons),
        final=final,
        rules_version=RULES_VERSION,
    )


def _class_of(score: int) -> VerdictClass:
    if score >= MACHINE_FROM:
        return VerdictClass.MACHINE
    return VerdictClass.UNKNOWN if score >= DOUBT_FROM else VerdictClass.HUMAN
