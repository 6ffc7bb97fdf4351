"""What was decided about a link, and why."""

from enum import StrEnum


class Decision(StrEnum):
    """Whether a link is replaced."""

    TRACKED = "tracked"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why a link was skipped. Of several the first in this order is given."""

    OPT_OUT = "opt_out"
    """The link, or its twin for Outlook, carries a mark that asks not to track it."""
    PLACEHOLDER = "placeholder"
    """The URL holds a template placeholder that nobody filled in."""
    FRAGMENT = "fragment"
    """A place in the message itself: `#…`."""
    RELATIVE = "relative"
    """No scheme: it means nothing in a mail."""
    SCHEME = "scheme"
    """Another scheme than http and https: `mailto:`, `tel:`, …"""
    MALFORMED = "malformed"
    """Not an RFC 3986 URL: raw spaces or letters beyond ASCII, a bad escape, no host."""
    TOO_LONG = "too_long"
    """Longer than 4,096 bytes."""
    ALREADY_TRACKED = "already_tracked"
    """A tracked link of this install, and it opens."""
    EXCLUDED_HOST = "excluded_host"
    """The policy leaves this host alone."""
    UNSUBSCRIBE = "unsubscribe"
    """The URL of the message's List-Unsubscribe header."""
    SENSITIVE = "sensitive"
    """Looks like a one-time sign-in or reset link, and the policy leaves those alone."""
    VISIBLE_URL = "visible_url"
    """The link's text is itself a URL, and the policy leaves those alone."""
