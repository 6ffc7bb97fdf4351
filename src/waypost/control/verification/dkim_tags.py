"""A DKIM key record, read as a verifier reads it (RFC 6376, section 3.6.1), and what people do to one."""

from collections.abc import Mapping, Sequence

from waypost.control.verification.problems import Problem
from waypost.control.verification.text import as_entered, is_quoted


def key_problem(expected: str, values: Sequence[str]) -> tuple[Problem | None, Mapping[str, object]]:
    """What keeps mail servers from finding the key, with facts for the sentence; None when nothing does.

    Args:
        expected: the record as it was given out.
        values: of the TXT records at the selector, each with its strings joined; at least one.
    """
    if len(values) > 1:
        pieces = all(_bare(value) and _bare(value) in _bare(expected) for value in values)
        problem = Problem.KEY_SPLIT if pieces and _bare(expected) not in map(_bare, values) else Problem.KEY_SEVERAL
        return problem, {"count": len(values)}
    (value,) = values
    wanted, read = _tags(expected), _tags(value)
    if read.get("p") == wanted["p"] and read.get("k", "rsa") == wanted["k"]:
        return (None if _usable(read) else Problem.KEY_RESTRICTED), {}
    if _bare(as_entered(value)) == _bare(expected):
        return (Problem.QUOTED if is_quoted(value) else Problem.ESCAPED), {}
    key = read.get("p")
    if key == "":
        return Problem.KEY_REVOKED, {}
    if key and key != wanted["p"] and wanted["p"].startswith(key):
        return Problem.KEY_CUT_OFF, {"length": len(key), "full": len(wanted["p"])}
    return Problem.KEY_OTHER, {}


def _tags(record: str) -> dict[str, str]:
    """Tag by tag; white space within a value does not count, as in base64 it must not."""
    pairs = (part.partition("=") for part in record.split(";") if "=" in part)
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}


def _usable(tags: Mapping[str, str]) -> bool:
    """The version, if it is said at all; SHA-256 among the hashes; e-mail among the services."""
    services = tags.get("s", "*").split(":")
    return (
        tags.get("v", "DKIM1") == "DKIM1"
        and "sha256" in tags.get("h", "sha256").split(":")
        and ("*" in services or "email" in services)
    )


def _bare(text: str) -> str:
    return "".join(text.split())
