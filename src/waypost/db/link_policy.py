"""The policy that a send's links are planned with: by control when it accepts, by mail again when it delivers.

Both must plan alike, or a link would get another index than the one its report names; so it is made in one place.
"""

from collections.abc import Collection, Mapping
from typing import Any

from waypost.links.errors import TokenError
from waypost.links.keyring import Keyring
from waypost.links.policy import Policy
from waypost.links.token import open_token
from waypost.links.url import parse_url


def unsubscribe_urls(list_unsubscribe: Mapping[str, Any] | None) -> Collection[str]:
    """What a send's `list_unsubscribe` keeps from being tracked in its HTML part."""
    return [list_unsubscribe["url"]] if list_unsubscribe and list_unsubscribe["url"] else []


def sending_policy(keyring: Keyring, untouched: Collection[str] = ()) -> Policy:
    """Track all that can be, but nothing twice: R14, links of this install that open stay as they are.

    Whose link domain it is on need not be looked up: a token opens only with our keys, and only on the domain that it
    was sealed for.

    Args:
        keyring: tells links of ours.
        untouched: see `unsubscribe_urls()`.
    """

    def opens(url: str) -> bool:
        tracked = parse_url(url)
        if tracked is None:
            return False
        try:
            open_token(tracked.token, tracked.link_domain, keyring, kind=tracked.kind)
        except TokenError:
            return False
        return True

    return Policy(own_link_domains=None, opener=opens, unsubscribe_urls=untouched)
