"""Which field breaks which rule, in words: what pydantic found, as the API says it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypedDict

from waypost.control.fields import SURROGATE

# pydantic's words for the types that clients get wrong, in ours; for other types its own message is plain enough.
_RULES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "string_type": "must be a string",
        "string_unicode": SURROGATE,
        "bool_type": "must be true or false",
        "list_type": "must be a list",
        "model_attributes_type": "must be a JSON object",
        "model_type": "must be a JSON object",
        "dict_type": "must be a JSON object",
    }
)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "Input should be": "must be",
        "String should have": "must have",
        "List should have": "must have",
        " after validation": "",
    }
)
# pydantic's last step to a key, as opposed to what stands under it.
_KEY = "[key]"


class BrokenRule(TypedDict):
    """One thing that is wrong with a request."""

    field: str
    rule: str


def broken_rules(problems: Iterable[Mapping[str, Any]]) -> list[BrokenRule]:
    """What FastAPI found wrong; the first step of a location is the part of the request, such as the body."""
    return [
        BrokenRule(field=_field(problem["loc"][1:]) or str(problem["loc"][0]), rule=_rule(problem))
        for problem in problems
    ]


def broken_rules_in(problems: Iterable[Mapping[str, Any]], whole: str) -> list[BrokenRule]:
    """What pydantic found wrong in a value by itself, which is called `whole`."""
    return [BrokenRule(field=_field(problem["loc"]) or whole, rule=_rule(problem)) for problem in problems]


def sentence(broken: Iterable[BrokenRule]) -> str:
    """All of it, for people."""
    return "; ".join(f"{each['field']}: {each['rule']}" for each in broken)


def _field(location: Sequence[int | str]) -> str:
    """`attachments[3].name` for `("attachments", 3, "name")`; empty for the whole."""
    name = ""
    for step in location:
        if isinstance(step, int):
            name += f"[{step}]"
        elif step != _KEY:
            name += f".{step}" if name else step
    return name


def _rule(problem: Mapping[str, Any]) -> str:
    message: str = _RULES.get(problem["type"]) or problem["msg"]
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message
