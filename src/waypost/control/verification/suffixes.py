"""Which part of a domain name its owner registered, by the public suffix list (publicsuffix.org)."""

from functools import cache

from publicsuffixlist import PublicSuffixList


def registrable_domain(name: str) -> str | None:
    """`shop.example` of `links.shop.example`; None when the name is itself a public suffix, such as `co.uk`.

    Suffixes of companies that give out names below them (`github.io`) count too: their neighbours are strangers.

    Args:
        name: lower case, A-labels, no final dot.
    """
    found: str | None = _list().privatesuffix(name)
    return found


@cache
def _list() -> PublicSuffixList:
    """Parsed when it is first needed: 10,000 lines."""
    return PublicSuffixList()
