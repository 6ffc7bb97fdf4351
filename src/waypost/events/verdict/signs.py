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
from waypost.events.verdict.network import kind_of
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.rules import DECISIVE, DOUBT_FROM, MACHINE_FROM, REQUEST_RULES, RULES, RULES_VERSION
from waypost.events.verdict.seen import Known, Request, Seen

_REMEMBERED: Final = 16_384
_PROXIES_ON_OPEN: Final = (ImageProxy.GOOGLE, ImageProxy.YAHOO)
# Gmail, for readers who have it open when a message comes:
# https://bird.com/en-us/blog/gmail-prefetching-images
_GMAIL_AHEAD: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
BIT: Final = {reason: 1 << place for place, reason in enumerate(RULES)}


_OfHeaders = tuple[Browser, bool, bool, bool, bool, bool, bool, bool]
_OfRest = tuple[int, int, int, int, int]


class Looks:
    """Looks at hits, at what they have in common once.

    Headers are told apart by identity: to compare them costs as much as to look. So they must outlive this.
    """

    def __init__(self, send: SendFacts) -> None:
        """For hits of sends like this one."""
        self._secure: Final = send.secure
        self._by_headers: Final[dict[int, tuple[_OfHeaders, dict[_OfRest, Known]]]] = {}
        self._alike: Final[dict[_OfHeaders, dict[_OfRest, Known]]] = {}

    def known(
        self, headers: Mapping[str, str], kind: HitKind, outcome: Outcome, client: Client, as_organisation: str
    ) -> Known:
        """What follows from a request that says this."""
        device_type, proxy, network_kind = client.device_type, client.image_proxy, kind_of(as_organisation)
        looked = self._by_headers.get(id(headers))
        if looked is None:
            say = _of_headers(headers)
            looked = self._by_headers[id(headers)] = say, self._alike.setdefault(say, {})
        say, alike = looked
        # Enums hash in Python, and each of their members is there once.
        rest = id(kind), id(outcome), id(device_type), id(proxy), id(network_kind)
        found = alike.get(rest)
        if found is None:
            found = alike[rest] = _known(
                Request(
                    browser=say[0],
                    network_kind=network_kind,
                    is_click=kind is HitKind.CLICK,
                    is_head=outcome is Outcome.HEAD,
                    is_prefetch=outcome is Outcome.PREFETCH,
                    is_bot=device_type is DeviceType.BOT,
                    is_proxy_ahead=proxy is ImageProxy.APPLE,
                    is_proxy_on_open=proxy in _PROXIES_ON_OPEN,
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
