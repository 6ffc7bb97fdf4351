"""Rules about a hit's request, whenever it came and from which address."""

from waypost.events.verdict.browser import Engine
from waypost.events.verdict.network import NetworkKind
from waypost.events.verdict.seen import Request


def head(request: Request) -> bool:
    """Asked for nothing but headers."""
    return request.is_head


def prefetch(request: Request) -> bool:
    """Said that nobody looks at it yet."""
    return request.is_prefetch


def declared_bot(request: Request) -> bool:
    """Says that it is a program."""
    return request.is_bot


def image_prefetch(request: Request) -> bool:
    """Images fetched on arrival, read or not."""
    return not request.is_click and (request.is_proxy_ahead or request.is_gmail_ahead)


def image_proxy(request: Request) -> bool:
    """Images fetched when a message is opened, on the reader's behalf."""
    return request.is_proxy_on_open


def sec_fetch_missing(request: Request) -> bool:
    """Chromium or Firefox without what they always send."""
    return request.browser.engine is not Engine.WEBKIT and _lacks_fetch_metadata(request)


def sec_fetch_missing_webkit(request: Request) -> bool:
    """Safari without what it always sends."""
    return request.browser.engine is Engine.WEBKIT and _lacks_fetch_metadata(request)


def _lacks_fetch_metadata(request: Request) -> bool:
    return (
        request.secure and request.is_click and request.browser.sends_fetch_metadata and not request.has_fetch_metadata
    )


def outdated_browser(request: Request) -> bool:
    """Years old, where browsers renew themselves."""
    return request.is_click and request.browser.outdated


def accept_language_missing(request: Request) -> bool:
    """A browser without a language."""
    return request.is_click and request.browser.engine is not Engine.OTHER and not request.has_language


def user_agent_missing(request: Request) -> bool:
    """A click with headers and no user agent."""
    return request.is_click and not request.has_user_agent and request.has_headers


def mail_security_network(request: Request) -> bool:
    """From a company that checks mail."""
    return request.is_click and request.network_kind is NetworkKind.MAIL_SECURITY


def cloud_network(request: Request) -> bool:
    """From a cloud that checks of mail run in."""
    return request.is_click and request.network_kind is NetworkKind.CLOUD


def hosting_network(request: Request) -> bool:
    """From servers for rent."""
    return request.is_click and request.network_kind is NetworkKind.HOSTING


def mobile_network(request: Request) -> bool:
    """From a phone company's mobile network."""
    return request.network_kind is NetworkKind.MOBILE


def user_navigation(request: Request) -> bool:
    """All that a browser sends when somebody follows a link."""
    return request.navigates
