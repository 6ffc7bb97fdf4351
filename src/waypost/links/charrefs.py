"""Character references, as an HTML parser reads them (HTML standard, 13.2.5.72 to 13.2.5.80).

`html.unescape` is not used: it knows only the rule for text, and it raises on a reference of 4,300 digits.
"""

import re
from html.entities import html5

_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([0-9A-Za-z]+);?)")

# HTML standard, 13.2.5.80: what numbers of the C1 range stand for (windows-1252).
_C1 = dict(
    enumerate(
        "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f"
        "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178",
        start=0x80,
    )
)
_REPLACEMENT = "\ufffd"
_MAX_DIGITS = 7  # 0x10FFFF is 1114111: a longer number is out of range whatever its digits are
_MIN_NAME, _MAX_LEGACY_NAME = 2, 6  # lengths of the names that may lack their semicolon: "lt" to "Aacute"


def _numeric(digits: str, base: int) -> str:
    digits = digits.lstrip("0")
    if not digits or len(digits) > _MAX_DIGITS:
        return _REPLACEMENT
    number = int(digits, base)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:  # noqa: PLR2004 (Unicode's own limits)
        return _REPLACEMENT
    return _C1.get(number) or chr(number)


def _in_attribute(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name is None:
        return _numeric(hexadecimal, 16) if hexadecimal else _numeric(decimal, 10)
    whole = match[0]
    if whole[-1] == ";":
        return html5.get(whole[1:], whole)
    # 13.2.5.73: a name without its semicolon is left alone in an attribute before "=" or an alphanumeric.
    if match.string[match.end() : match.end() + 1] == "=":
        return whole
    return html5.get(name, whole)


def _in_text(match: re.Match[str]) -> str:
    name, whole = match[3], match[0]
    if name is None:
        return _in_attribute(match)
    if whole[1:] in html5:
        return html5[whole[1:]]
    for length in range(min(len(name), _MAX_LEGACY_NAME), _MIN_NAME - 1, -1):
        if (found := html5.get(name[:length])) is not None:
            return found + whole[1 + length :]
    return whole


def decode_attribute(value: str) -> str:
    """An attribute value as the parser hands it on: references decoded by the attribute rule.

    Line ends are normalized before (13.2.3.5), so one that a reference stands for stays as it is.
    """
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in value:
        value = value.replace("\0", _REPLACEMENT)
    if "&" in value:
        value = _REFERENCE.sub(_in_attribute, value)
    return value


def decode_text(value: str) -> str:
    """Text as the parser hands it on: references decoded by the rule for text."""
    if "&" in value:
        value = _REFERENCE.sub(_in_text, value)
    return value
