"""Rules about a hit by itself."""

from typing import Final

from waypost.events.client import DeviceType, ImageProxy
from waypost.events.hit import Outcome
from waypost.events.verdict.browser import Engine
from waypost.events.verdict.evidence import SendFacts
from waypost.events.verdict.network import DATA_CENTRES, NetworkKind
from waypost.events.verdict.seen import Seen

AT_DELIVERY_SECONDS: Final = 5
SOON_SECONDS: Final = 120
HOURS_LATER_SECONDS: Final = 2 * 3600
MANY_RECIPIENTS: Final = 10

# Gmail, for readers who have it open when a message comes:
# https://bird.com/en-us/blog/gmail-prefetching-images
_GMAIL_PREFETCH: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)


def head(seen: Seen, _: SendFacts) -> bool:
    """Asked for nothing but headers."""
    return seen.evidence.outcome is Outcome.HEAD


def prefetch(seen: Seen, _: SendFacts) -> bool:
    """Said that nobody looks at it yet."""
    return seen.evidence.outcome is Outcome.PREFETCH


def declared_bot(seen: Seen, _: SendFacts) -> bool:
    """Says that it is a program."""
    return seen.evidence.client.device_type is DeviceType.BOT


def image_prefetch(seen: Seen, _: SendFacts) -> bool:
    """Images fetched on arrival, read or not."""
    if seen.is_click:
        return False
    return seen.evidence.client.image_proxy is ImageProxy.APPLE or seen.user_agent == _GMAIL_PREFETCH


def image_proxy(seen: Seen, _: SendFacts) -> bool:
    """Images fetched when a message is opened, on the reader's behalf."""
    return seen.evidence.client.image_proxy in (ImageProxy.GOOGLE, ImageProxy.YAHOO)


def sec_fetch_missing(seen: Seen, send: SendFacts) -> bool:
    """Chromium or Firefox without what they always send."""
    return seen.browser.engine is not Engine.WEBKIT and _lacks_fetch_metadata(seen, send)


def sec_fetch_missing_webkit(seen: Seen, send: SendFacts) -> bool:
    """Safari without what it always sends."""
    return seen.browser.engine is Engine.WEBKIT and _lacks_fetch_metadata(seen, send)


def _lacks_fetch_metadata(seen: Seen, send: SendFacts) -> bool:
    return send.secure and seen.is_click and seen.browser.sends_fetch_metadata and not seen.has_fetch_metadata


def outdated_browser(seen: Seen, _: SendFacts) -> bool:
    """Years old, where browsers renew themselves."""
    return seen.is_click and seen.browser.outdated


def accept_language_missing(seen: Seen, _: SendFacts) -> bool:
    """A browser without a language."""
    return (
        seen.is_click and seen.browser.engine is not Engine.OTHER and not seen.evidence.headers.get("accept-language")
    )


def user_agent_missing(seen: Seen, _: SendFacts) -> bool:
    """A click with headers and no user agent."""
    return seen.is_click and not seen.user_agent and bool(seen.evidence.headers)


def at_delivery(seen: Seen, _: SendFacts) -> bool:
    """Before anybody can have read the message."""
    return seen.age is not None and seen.age <= AT_DELIVERY_SECONDS


def soon_from_data_centre(seen: Seen, _: SendFacts) -> bool:
    """Within two minutes of delivery, from where servers stand."""
    return seen.is_click and seen.age is not None and seen.age <= SOON_SECONDS and seen.network_kind in DATA_CENTRES


def mail_security_network(seen: Seen, _: SendFacts) -> bool:
    """From a company that checks mail."""
    return seen.is_click and seen.network_kind is NetworkKind.MAIL_SECURITY


def cloud_network(seen: Seen, _: SendFacts) -> bool:
    """From a cloud that checks of mail run in."""
    return seen.is_click and seen.network_kind is NetworkKind.CLOUD


def hosting_network(seen: Seen, _: SendFacts) -> bool:
    """From servers for rent."""
    return seen.is_click and seen.network_kind is NetworkKind.HOSTING


def many_recipients(seen: Seen, _: SendFacts) -> bool:
    """The same client at ten or more recipients' links."""
    return seen.evidence.recipients_at_once >= MANY_RECIPIENTS


def mobile_network(seen: Seen, _: SendFacts) -> bool:
    """From a phone company's mobile network."""
    return seen.network_kind is NetworkKind.MOBILE


def hours_later(seen: Seen, _: SendFacts) -> bool:
    """Long after delivery."""
    return seen.age is not None and seen.age >= HOURS_LATER_SECONDS


def user_navigation(seen: Seen, _: SendFacts) -> bool:
    """All that a browser sends when somebody follows a link."""
    return seen.navigates
