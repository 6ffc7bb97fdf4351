"""Substrings of URLs that have a code of one byte. Frozen: part of token version 1, for ever.

The order is the wire format: a change of any entry makes links already sent lead elsewhere. A better list needs a new
token version. How it was chosen: docs/adr/0001-tokens.md.
"""

from typing import Final

# fmt: off
SUBSTRINGS: Final = (
    "%20", "%2F", "%3A", "%3D", "&utm_campaign=", "&utm_content=", "&utm_medium=", "&utm_medium=email",
    "&utm_source=", "-and-", "-for-", "-to-", "-with-", ".co.uk/", ".com", ".com/", ".de/", ".dev/", ".edu/",
    ".html", ".io/", ".net/", ".org", ".org/", ".pdf", ".php", "/en/", "/index.html", "/latest", "/p/", "00", "202",
    "2024", "?id=", "?utm_source=", "_id=", "about", "ac", "account", "ad", "al", "an", "ap", "apple.com/", "ar",
    "as", "at", "ation", "blog", "book", "campaign", "ch", "ci", "co", "collections/", "com", "contact", "content",
    "ct", "de", "di", "doc", "download", "e/", "el", "email", "en", "er", "es", "event", "example.",
    "facebook.com/", "ge", "github.com/", "google.com/", "help", "http", "http://", "http://www.", "https://",
    "https://app.", "https://blog.", "https://c", "https://shop.", "https://www.", "ic", "id", "il", "in", "index.",
    "ing", "instagram.com/", "invite", "is", "it", "la", "lan", "le", "learn", "li", "linkedin.com/", "lo", "login",
    "ma", "mail", "me", "ne", "news", "newsletter", "notification", "nt", "offer", "ol", "on", "oo", "open", "or",
    "order", "pa", "pay", "pe", "po", "prefer", "privacy", "product", "project", "ra", "re", "reset", "ri", "ro",
    "s.", "s/", "sale", "se", "settings", "sh", "shop", "sign", "source", "ss", "st", "store", "subscri", "support",
    "te", "team", "ter", "th", "the-", "ti", "to", "token=", "track", "twitter.com/", "ub", "ul", "um", "un",
    "unsubscribe", "ur", "user", "ut", "utm_", "ve", "verify", "view", "web", "y/", "youtube.com/",
)
# fmt: on
