"""Signs: which rules hold of a hit, as one number with a bit for each, and the verdict that follows from them.

A collector asks about tens of thousands of hits a second. Most are alike but for time and address, so what follows
from a request, and from a set of signs, is worked out once and remembered.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from waypost.events.client import DeviceType, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict, VerdictClass
from waypost.events.verdict.network import NetworkKind, kind_of
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.rules import DECISIVE, DOUBT_FROM, MACHINE_FROM, REQUEST_RULES, RULES, RULES_VERSION
from waypost.events.verdict.seen import Request, Seen

_REMEMBERED: Final = 16_384
_PROXIES_ON_OPEN: Final = (ImageProxy.GOOGLE, ImageProxy.YAHOO)
BIT: Final = {reason: 1 << place for place, reason in enumerate(RULES)}


class _Known(Struct, frozen=True, gc=False):
    """What follows from a request."""

    is_click: bool
    navigates: bool
    network_kind: NetworkKind
    signs: int


def see(evidence: Evidence, send: SendFacts) -> Seen:
    """Look at a hit of a send."""
    return _seen(evidence, send, _known(_request(evidence, send)))


def see_all(hits: Sequence[Evidence], send: SendFacts) -> list[Seen]:
    """Look at hits of a send, at what they share once: a reader's have one browser, and a scanner's all are alike."""
    known: dict[tuple[object, ...], _Known] = {}
    seen = []
    for hit in hits:
        key = id(hit.headers), id(hit.client), id(hit.kind), id(hit.outcome), hit.as_organisation
        if (of_request := known.get(key)) is None:
            of_request = known[key] = _known(_request(hit, send))
        seen.append(_seen(hit, send, of_request))
    return seen


def _request(evidence: Evidence, send: SendFacts) -> Request:
    headers, client, outcome = evidence.headers, evidence.client, evidence.outcome
    mode = headers.get("sec-fetch-mode")
    return Request(
        headers.get("user-agent", ""),
        kind_of(evidence.as_organisation),
        evidence.kind is HitKind.CLICK,
        outcome is Outcome.HEAD,
        outcome is Outcome.PREFETCH,
        client.device_type is DeviceType.BOT,
        client.image_proxy is ImageProxy.APPLE,
        client.image_proxy in _PROXIES_ON_OPEN,
        bool(headers),
        bool(headers.get("accept-language")),
        bool(mode or headers.get("sec-fetch-site") or headers.get("sec-fetch-dest")),
        mode == "navigate" and headers.get("sec-fetch-dest") == "document",
        headers.get("sec-fetch-user") == "?1",
        send.secure,
    )


def _seen(evidence: Evidence, send: SendFacts, known: _Known) -> Seen:
    seconds = evidence.occurred_at.timestamp()
    return Seen(
        evidence,
        known.is_click,
        known.navigates,
        known.network_kind,
        seconds,
        None if send.delivered_at is None else seconds - send.delivered_at.timestamp(),
        known.signs,
    )


@lru_cache(maxsize=_REMEMBERED)
def _known(request: Request) -> _Known:
    signs = sum(BIT[rule.reason] for rule in REQUEST_RULES if rule.holds(request))
    return _Known(request.is_click, request.navigates, request.network_kind, signs)


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
