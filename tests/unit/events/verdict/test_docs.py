"""docs/verdicts.md has the table of rules, word for word."""

from pathlib import Path

from waypost.events.verdict import RULES, VerdictClass

DOCUMENT = (Path(__file__).parents[4] / "docs" / "verdicts.md").read_text()


def rows(heading):
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_rule_is_documented_as_it_is():
    expected = [
        f"| `{rule.reason}` | {rule.points} | {rule.meaning} | {', '.join(f'`{name}`' for name in rule.fields)} |"
        for rule in RULES.values()
    ]
    assert rows("Reasons") == expected


def test_every_class_is_documented():
    first = DOCUMENT.partition("\n## ")[0]
    assert [line.split("`")[1] for line in first.splitlines() if line.startswith("| `")] == list(VerdictClass)
