"""Which URLs may be tracked: RFC 3986, whole string, `http` and `https` with a host, nothing repaired."""

import re
from ipaddress import AddressValueError, IPv6Address

from waypost.links.reason import Reason
from waypost.links.repetition import any_number

ASCII_WHITESPACE = "\t\n\f\r "
"""Stripped from both ends of a `href` (HTML standard, 2.4.1 and 4.6.3); inside it makes a URL malformed."""

MAX_DESTINATION_BYTES = 4096

_UNRESERVED = r"A-Za-z0-9\-._~"
_SUB_DELIMS = r"!$&'()*+,;="
_PERCENT = r"%[0-9A-Fa-f]{2}"


def _any_of(characters: str) -> str:
    return any_number(rf"[{characters}]++|{_PERCENT}")


# RFC 3986, appendix A. The host may not be empty, as RFC 9110, section 4.2 wants of http and https.
_HTTP_URL = re.compile(
    rf"[hH][tT][tT][pP][sS]?://"
    rf"(?:{_any_of(_UNRESERVED + _SUB_DELIMS + ':')}@)?"
    rf"(?P<host>\[(?:(?P<ipv6>[0-9A-Fa-f:.]++)|[vV][0-9A-Fa-f]++\.[{_UNRESERVED}{_SUB_DELIMS}:]++)\]"
    rf"|(?=[{_UNRESERVED}{_SUB_DELIMS}%]){_any_of(_UNRESERVED + _SUB_DELIMS)})"
    rf"(?::[0-9]*+)?"
    rf"(?:/{_any_of(_UNRESERVED + _SUB_DELIMS + ':@/')})?"
    rf"(?:\?{_any_of(_UNRESERVED + _SUB_DELIMS + ':@/?')})?"
    rf"(?:#{_any_of(_UNRESERVED + _SUB_DELIMS + ':@/?')})?"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")


def check(destination: str) -> Reason | None:
    """Why a URL, decoded and stripped, may not be tracked; None when it may.

    One of fragment, relative, scheme, malformed and too_long, in this order.
    """
    match = _HTTP_URL.fullmatch(destination)
    if match and (match["ipv6"] is None or _is_ipv6(match["ipv6"])):
        return Reason.TOO_LONG if len(destination) > MAX_DESTINATION_BYTES else None
    if destination.startswith("#"):
        return Reason.FRAGMENT
    scheme = _SCHEME.match(destination)
    if scheme is None:
        return Reason.MALFORMED if any(space in destination for space in "\t\n\r") else Reason.RELATIVE
    if scheme[1].lower() not in ("http", "https"):
        return Reason.SCHEME
    return Reason.MALFORMED


def host(destination: str) -> str:
    """The lower-case host, without port, of a URL that may be tracked."""
    match = _HTTP_URL.fullmatch(destination)
    if match is None:
        raise ValueError(f"not a URL that may be tracked: {destination!r}")
    return match["host"].lower()


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
