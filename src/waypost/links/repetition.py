"""Repeating a group in a regular expression without ever going back into it.

`(?:…)*+` says that. But in Python 3.11.0 to 3.11.4, Debian 12's among them, it ends up in the wrong place when the
group fails half-way (gh-106052); there an atomic group round a greedy repetition stands in for it. It means the same
and takes a little longer. It goes by thousands, because a greedy repetition remembers each turn until it ends.
"""

import re

_POSSESSIVE_GROUPS_WORK = re.match(r"(?:ab*c)*+abb", "abcabbd") is not None


def any_number(group: str) -> str:
    """A regular expression for any number of `group`, as many as there are and no fewer."""
    if _POSSESSIVE_GROUPS_WORK:
        return f"(?:{group})*+"
    return f"(?>(?:(?>(?:{group}){{1,1000}}))*)"
