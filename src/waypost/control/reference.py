"""`python -m waypost.control.reference FILE` writes the API's reference for people, from its OpenAPI document."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from waypost.control.app import routes

_HEAD = """# The HTTP API, path by path

Made by `python -m waypost.control.reference docs/api.md`, from the same code as `docs/openapi.json`. The script
`examples/api-walk.sh` calls most of it with curl and jq. A star marks what is required. Every path may also answer with
a refusal that it shares with all others, such as 404 or 500, of the same form.

Where a path needs an access token it is read from `Authorization` and, when that is absent, from `Authentication`.
"""
_REF = "#/components/schemas/"
_SECTIONS = {
    "oauth": "Logging in",
    "account": "Account and API keys",
    "profiles": "Sending profiles",
    "sends": "Sending and what became of it",
    "links": "Links",
    "webhooks": "Webhooks",
    "analysis": "Analysis",
    "operators": "For operators",
}

# Of every path; said once, at the top.
_EVERYWHERE = "authentication"

_LIMITS = (
    ("minItems", "maxItems", ""),
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
)

Json = Mapping[str, Any]


def reference() -> str:
    """The reference as Markdown, the same for the same code."""
    document = routes().openapi()
    by_tag: dict[str, list[str]] = {tag: [] for tag in _SECTIONS}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append("\n".join(_operation(method, path, operation)))
    lines = [_HEAD, document["info"]["description"], ""]
    for tag, operations in by_tag.items():
        lines += [f"## {_SECTIONS[tag]}", "", *operations]
    lines += ["## Objects", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _object(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield ""
    yield operation["description"]
    yield ""
    parameters = [each for each in operation.get("parameters", []) if each["name"] != _EVERYWHERE]
    if parameters:
        yield from _table(
            ("parameter", "in", "type", ""),
            (
                (
                    f"`{each['name']}`" + (" *" if each.get("required") else ""),
                    each["in"],
                    _type(each["schema"]),
                    each.get("description", ""),
                )
                for each in parameters
            ),
        )
    if body := operation.get("requestBody"):
        yield f"Body: {_type(body['content']['application/json']['schema'])}"
        yield ""
    answers = [_answer(status, each) for status, each in operation["responses"].items() if status != "default"]
    yield from _table(("answer", "body", ""), answers)


def _answer(status: str, response: Json) -> tuple[str, str, str]:
    bodies = [_type(content.get("schema", {})) or kind for kind, content in response.get("content", {}).items()]
    described = response["description"]
    return status, ", ".join(bodies), "" if described == "Successful Response" else described


def _object(name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if description := schema.get("description"):
        yield description
        yield ""
    if values := schema.get("enum"):
        yield " · ".join(f"`{value}`" for value in values)
        yield ""
        return
    required = schema.get("required", [])
    yield from _table(
        ("field", "type", ""),
        (
            (f"`{field}`" + (" *" if field in required else ""), _type(of), of.get("description", ""))
            for field, of in schema["properties"].items()
        ),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _type(schema: Json) -> str:
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if several := schema.get("anyOf"):
        return " or ".join(map(_type, several))
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{value}`" for value in values)
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"object of {_type(values)}"
    kind = f"list of {_type(schema['items'])}" if "items" in schema else schema.get("format", schema.get("type", ""))
    limits = [_limits(schema, *each) for each in _LIMITS]
    default = f", default {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    return f"{kind}{''.join(limits)}{default}"


def _limits(schema: Json, low: str, high: str, unit: str) -> str:
    match schema.get(low), schema.get(high):
        case None, None:
            return ""
        case None, most:
            return f", at most {most}{unit}"
        case least, None:
            return f", at least {least}{unit}"
        case least, most:
            return f", {least} to {most}{unit}"
    return ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
