"""The policy that a send's links are planned with: by control when it accepts, by mail again when it delivers.

Both must plan alike, or a link would get another index than the one its report names; so it is made in one place.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.db.tables import Profile
from waypost.links.errors import TokenError
from waypost.links.keyring import Keyring
from waypost.links.policy import Policy
from waypost.links.token import open_token
from waypost.links.url import parse_url


def sending_policy(session: Session, keyring: Keyring) -> Policy:
    """Track all that can be, but nothing twice: R14, links of this install that open stay as they are."""

    def opens(url: str) -> bool:
        tracked = parse_url(url)
        if tracked is None:
            return False
        try:
            open_token(tracked.token, tracked.link_domain, keyring)
        except TokenError:
            return False
        return True

    # Deleted profiles too: their links go on working.
    return Policy(own_link_domains=frozenset(session.scalars(select(Profile.link_domain).distinct())), opener=opens)
