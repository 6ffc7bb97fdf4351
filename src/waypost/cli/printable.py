"""Text of unknown origin, made fit for a line of a terminal."""

import unicodedata


def one_line(text: str) -> str:
    r"""`text` with everything that is not printable escaped as in Python, `\n` or `\u202e`.

    A message's author must not break the table she is shown in, turn its text around or steer the terminal.
    """
    return "".join(
        character if _harmless(character) else character.encode("unicode_escape").decode("ascii") for character in text
    )


def _harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"  # the spaces, as of Japanese
