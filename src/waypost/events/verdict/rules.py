"""The table of rules. What each weighs, and where it is known from.

Points add up: 50 and more are a machine's, 25 to 49 are in doubt, and everything below is a person's. So a rule of 80
decides alone, even against a complete navigation (-25); one of 60 is in doubt against it; one of 35 needs company.
`docs/verdicts.md` is written from this table.
"""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from waypost.events.verdict import burst, moment, request
from waypost.events.verdict.burst import Burst
from waypost.events.verdict.evidence import SendFacts
from waypost.events.verdict.memory import Memory
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.seen import Request, Seen

RULES_VERSION: Final = 1
"""Of this table and of everything it rests on. One more with every change of what is decided."""

DECISIVE: Final = 100
"""Whatever else holds, it is a machine."""
MACHINE_FROM: Final = 50
DOUBT_FROM: Final = 25


class Rule(Struct, frozen=True):
    """A sign of a machine (points above 0) or of a person (below)."""

    reason: Reason
    points: int
    fields: tuple[str, ...]
    """Of the evidence and the send, that it reads."""
    meaning: str
    """For readers of the API."""


class RequestRule(Rule, frozen=True):
    """About a hit's request, whenever it came."""

    holds: Callable[[Request], bool]


class MomentRule(Rule, frozen=True):
    """About a hit by itself, and when it came."""

    holds: Callable[[Seen], bool]


class BurstRule(Rule, frozen=True):
    """About the hits of a burst together: of which of them it holds."""

    find: Callable[[Burst, SendFacts], Iterable[Seen]]


class MemoryRule(Rule, frozen=True):
    """About a hit, after those of earlier bursts."""

    holds: Callable[[Memory, Seen], bool]


_USER_AGENT: Final = "headers.user-agent"
_METADATA: Final = ("headers.sec-fetch-mode", "headers.sec-fetch-site", "headers.sec-fetch-dest")
_NAVIGATION: Final = (
    _USER_AGENT,
    "headers.accept-language",
    "headers.sec-fetch-mode",
    "headers.sec-fetch-dest",
    "headers.sec-fetch-user",
)
_VISITOR: Final = ("client_address", _USER_AGENT, "headers.sec-fetch-mode", "headers.accept-language")

REQUEST_RULES: Final = (
    # HEAD gets no content (RFC 9110, section 9.3.2), so nobody reads it.
    RequestRule(Reason.HEAD, DECISIVE, ("outcome",), "A HEAD request: it asks for no content.", request.head),
    # Sec-Purpose: prefetch (Fetch standard; MDN, Sec-Purpose), and its forerunners Purpose, X-Purpose and X-Moz.
    RequestRule(
        Reason.PREFETCH,
        DECISIVE,
        ("outcome",),
        "Fetched in advance, and says so (`Sec-Purpose: prefetch`).",
        request.prefetch,
    ),
    # The community's list crawler-user-agents (MIT), ua-parser's spiders, and mail scanners: events/declared_bots.py.
    RequestRule(
        Reason.DECLARED_BOT,
        DECISIVE,
        ("client.device_type",),
        "The user agent says that it is a program: a crawler, preview, monitor, library or mail scanner.",
        request.declared_bot,
    ),
    # Apple Mail loads what is remote in the background, when a message comes, not when it is read (Apple, Mail Privacy
    # Protection). Mailgun reports both as bots (documentation.mailgun.com, Open and Click Bot Detection), SendGrid the
    # first as a machine open, SparkPost the second as prefetched (bird.com/en-us/blog/gmail-prefetching-images).
    RequestRule(
        Reason.IMAGE_PREFETCH,
        DECISIVE,
        ("kind", "client.image_proxy", _USER_AGENT),
        "Apple Mail Privacy Protection or Gmail fetched the images when the message came, read or not.",
        request.image_prefetch,
    ),
    # Browsers send Fetch Metadata to every trustworthy URL (W3C Fetch Metadata, section 3; "real Chromium always sends
    # Sec-Fetch-Mode", https://github.com/profullstack/media-streamer/pull/207), scanners that borrow a browser's name
    # mostly do not (https://github.com/MillionSend/millionsend/pull/22).
    RequestRule(
        Reason.SEC_FETCH_MISSING,
        80,
        ("kind", _USER_AGENT, *_METADATA, "send.secure"),
        "A version of Chrome, Edge, Firefox or one of their kin that always sends `Sec-Fetch-*`, without it.",
        request.sec_fetch_missing,
    ),
    # Less: apps of Apple's systems show pages in a WebKit of their own making, with Safari's name if they like.
    RequestRule(
        Reason.SEC_FETCH_MISSING_WEBKIT,
        45,
        ("kind", _USER_AGENT, *_METADATA, "send.secure"),
        "A version of Safari that always sends `Sec-Fetch-*` (16.4 and later), without it.",
        request.sec_fetch_missing_webkit,
    ),
    # Proofpoint, Mimecast and Barracuda follow links, also from networks of their own (campus.barracuda.com, Unwanted
    # Link Clicks; check.live-direct-marketing.online, as below). Not decisive: browser isolation lets people out there.
    RequestRule(
        Reason.MAIL_SECURITY_NETWORK,
        60,
        ("kind", "as_organisation"),
        "From the network of a company that checks mail.",
        request.mail_security_network,
    ),
    # RFC 9110, section 10.1.5: every request SHOULD have one, and every browser's has.
    RequestRule(
        Reason.USER_AGENT_MISSING,
        60,
        ("kind", _USER_AGENT),
        "A click without a user agent.",
        request.user_agent_missing,
    ),
    # Microsoft's Safe Links and its like: see network.py. Not more: offices and remote desktops are in clouds too.
    RequestRule(
        Reason.CLOUD_NETWORK,
        45,
        ("kind", "as_organisation"),
        "From the cloud of Amazon, Google or Microsoft, where checks of mail run.",
        request.cloud_network,
    ),
    # Chrome 79 of 2019, from a scanner of Microsoft's: https://github.com/mssola/user_agent/issues/71
    RequestRule(
        Reason.OUTDATED_BROWSER,
        35,
        ("kind", _USER_AGENT),
        "A browser for Windows 10 or 11, older than 2020 (Firefox: 2021), where browsers renew themselves.",
        request.outdated_browser,
    ),
    # Headless browsers did without for years: https://github.com/berstend/puppeteer-extra/issues/51
    RequestRule(
        Reason.ACCEPT_LANGUAGE_MISSING,
        30,
        ("kind", _USER_AGENT, "headers.accept-language"),
        "A browser that asks for no language.",
        request.accept_language_missing,
    ),
    # Little: commercial VPNs are there as well.
    RequestRule(
        Reason.HOSTING_NETWORK,
        20,
        ("kind", "as_organisation"),
        "From a network of servers for rent.",
        request.hosting_network,
    ),
    RequestRule(
        Reason.MOBILE_NETWORK,
        -40,
        ("as_organisation",),
        "From a phone company's mobile network.",
        request.mobile_network,
    ),
    # Sec-Fetch-User is sent when a user activated a navigation, and then only (W3C Fetch Metadata, section 2.4). Not
    # more: a scanner that drives a real browser has it.
    RequestRule(
        Reason.USER_NAVIGATION,
        -25,
        ("kind", *_NAVIGATION),
        "Has every header of a browser in which somebody followed a link.",
        request.user_navigation,
    ),
    # Google's and Yahoo's proxies fetch when a message is opened (Validity, Everest: "still good indicators"):
    # a scanner has no use for them, so not even seconds after delivery speak against it.
    RequestRule(
        Reason.IMAGE_PROXY,
        -30,
        ("client.image_proxy",),
        "Gmail's or Yahoo's image proxy, which fetches when a message is opened.",
        request.image_proxy,
    ),
)

MOMENT_RULES: Final = (
    # 69 of 100 sweeps began within a minute of the send (https://github.com/putyourlightson/craft-campaign/issues/546).
    MomentRule(
        Reason.SOON_FROM_DATA_CENTRE,
        45,
        ("kind", "occurred_at", "as_organisation", "send.delivered_at"),
        "Within two minutes of delivery, from a data centre.",
        moment.soon_from_data_centre,
    ),
    # Gateways take a mailing as it comes, all of a domain's recipients at once (Act-On, Identifying False Positives in
    # Email Clicks). Not more: a company's people share an address, too.
    MomentRule(
        Reason.MANY_RECIPIENTS,
        40,
        ("kind", "recipients_at_once"),
        "The same address and user agent at the links of ten or more recipients within ten seconds.",
        moment.many_recipients,
    ),
    # "Humans are not that fast" (check.live-direct-marketing.online, Bot clicks from security scanners); seconds are a
    # scanner's, minutes a person's (support.metacompliance.com, How to identify if a 'click' is genuine).
    MomentRule(
        Reason.AT_DELIVERY,
        35,
        ("occurred_at", "send.delivered_at"),
        "Five seconds after delivery or earlier.",
        moment.at_delivery,
    ),
    # 1 of 100 sweeps began later than half an hour after the send (craft-campaign, as above).
    MomentRule(
        Reason.HOURS_LATER,
        -30,
        ("occurred_at", "send.delivered_at"),
        "Two hours after delivery or later.",
        moment.hours_later,
    ),
)

BURST_RULES: Final = (
    BurstRule(
        Reason.MANY_NETWORKS,
        80,
        ("kind", "outcome", "occurred_at", "client_address", "as_organisation", *_NAVIGATION),
        "One of clicks from three or more networks (four, with all of a browser's headers) within 15 seconds.",
        burst.many_networks,
    ),
    BurstRule(
        Reason.RAPID_LINKS,
        80,
        ("kind", "outcome", "occurred_at", "link_index", *_VISITOR),
        "One of clicks on different links, faster than a hand: two in 0.3 seconds, three in 1, four in 3, six in 8.",
        burst.rapid_links,
    ),
    # Scanners unsubscribe people: https://github.com/freelawproject/courtlistener/issues/2180,
    # https://github.com/justingit/dada-mail/issues/1126. RFC 8058 was written because of it (section 1).
    BurstRule(
        Reason.UNSUBSCRIBE_AND_CONTENT,
        80,
        ("kind", "outcome", "occurred_at", "destination", *_VISITOR),
        "Followed the link to unsubscribe and another one within a minute.",
        burst.unsubscribe_and_content,
    ),
    BurstRule(
        Reason.ALL_LINKS,
        60,
        ("kind", "outcome", "occurred_at", "link_index", *_VISITOR, "send.links"),
        "One of clicks on at least five and four fifths of all links within a minute.",
        burst.all_links,
    ),
    # Safe Links and URL Defense check a link when it is clicked (learn.microsoft.com, Safe Links overview;
    # support.vircom.com, Things to Know About Proofpoint URL Defense).
    BurstRule(
        Reason.CHECKED_CLICK,
        35,
        ("kind", "occurred_at", "link_index", "as_organisation", *_NAVIGATION),
        "From a data centre, within 30 seconds of somebody who followed the same link from elsewhere.",
        burst.checked_click,
    ),
)

SAME_SYSTEM: Final = Rule(
    # A scanner's HEAD is followed by its GET; a sweep by the one link that it looks at again.
    Reason.SAME_SYSTEM,
    60,
    ("outcome", "occurred_at", *_VISITOR),
    "The same network and program did, in the same burst, what only a machine does.",
)

MEMORY_RULES: Final = (
    # "a cluster, followed by human behavior, then another cluster": https://github.com/anymail/django-anymail/issues/200
    MemoryRule(
        Reason.SEEN_SCANNING,
        40,
        ("outcome", "occurred_at", *_VISITOR),
        "The same network and program was a machine earlier.",
        Memory.seen_scanning,
    ),
    # Laposta knows addresses that are "not scanners at all" by what they did before (docs.laposta.org, 943).
    MemoryRule(
        Reason.RETURNED,
        -30,
        ("occurred_at", "client_address", "client.browser", "client.os"),
        "A person was in the same network with the same browser at least ten minutes earlier.",
        Memory.returned,
    ),
)

NO_SIGN: Final = Rule(Reason.NO_SIGN, 0, (), "Nothing speaks for a machine, and nothing for a person in particular.")

_ALL: Final[tuple[Rule, ...]] = (*REQUEST_RULES, *MOMENT_RULES, *BURST_RULES, SAME_SYSTEM, *MEMORY_RULES)
RULES: Final[dict[Reason, Rule]] = {
    **{rule.reason: rule for rule in sorted(_ALL, key=lambda rule: -rule.points)},
    Reason.NO_SIGN: NO_SIGN,
}
"""All of them, the heaviest first."""
