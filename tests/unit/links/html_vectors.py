"""The HTML cases of tests/vectors/html, read as data."""

import json
from pathlib import Path

from waypost.links import Mark, Plan, Policy

CASES = {
    f"{path.stem}: {case['name']}": case
    for path in sorted((Path(__file__).parents[2] / "vectors" / "html").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
}


def policy_of(case):
    settings = dict(case.get("policy", {}))
    if "marks" in settings:
        settings["marks"] = frozenset(map(Mark, settings["marks"]))
    if (mark := settings.pop("opens", None)) is not None:
        settings["opener"] = lambda url: mark in url
    return Policy(**settings)


def expected_links(case):
    """Every link in full: what a case leaves out is as `README.md` beside the cases says."""
    return [
        {"reason": None, "part": "html", "index": number, "name": None, **link}
        for number, link in enumerate(case["links"])
    ]


def found_links(plan: Plan):
    return [
        {
            "destination": link.destination,
            "decision": link.decision,
            "reason": link.reason,
            "part": link.part,
            "index": link.index,
            "name": link.name,
        }
        for link in plan.links
    ]
