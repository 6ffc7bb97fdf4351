"""Campaign parameters (utm_source and its kind) added to a destination."""

from collections.abc import Mapping
from urllib.parse import quote


def add_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """`url` with the parameters in its query, before the fragment. A name that is there already keeps its value.

    No byte of `url` is changed: parameters are put between two of them.
    """
    before, hash_sign, fragment = url.partition("#")
    path, _, query = before.partition("?")
    present = {pair.partition("=")[0] for pair in query.split("&")}
    added = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in parameters.items()
        if quote(name, safe="") not in present
    )
    if not added:
        return url
    separator = "" if query.endswith("&") or not query else "&"
    return f"{path}?{query}{separator}{added}{hash_sign}{fragment}"
