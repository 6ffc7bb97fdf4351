"""Marks on a link that ask not to track it: ours, and those of the services people come from."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from waypost.links.charrefs import decode_attribute


class Mark(StrEnum):
    """Whose mark it is."""

    SMTPD = "smtpd"
    POSTMARK = "postmark"
    SES = "ses"
    SENDGRID = "sendgrid"
    SPARKPOST = "sparkpost"
    MAILGUN = "mailgun"
    MANDRILL = "mandrill"
    CUSTOMERIO = "customerio"
    MAUTIC = "mautic"
    AHOY = "ahoy"


def _present(_value: str) -> bool:
    return True


def _equals(expected: str) -> Callable[[str], bool]:
    return lambda value: decode_attribute(value).strip().lower() == expected


def _has_class(name: str) -> Callable[[str], bool]:
    return lambda value: name in decode_attribute(value).split()


# Whose mark, the attribute that is looked at, and which of its values opt out.
_RULES: Sequence[tuple[Mark, str, Callable[[str], bool]]] = (
    (Mark.SMTPD, "data-smtpd-no-track", _present),
    (Mark.POSTMARK, "data-pm-no-track", _present),
    (Mark.SES, "ses:no-track", _present),
    (Mark.SENDGRID, "clicktracking", _equals("off")),
    (Mark.SPARKPOST, "data-msys-clicktrack", _equals("0")),
    (Mark.MAILGUN, "disable-tracking", _equals("true")),
    (Mark.MANDRILL, "mc:disable-tracking", _present),
    (Mark.CUSTOMERIO, "class", _has_class("untracked")),
    (Mark.MAUTIC, "data-mautic-disable-tracking", _equals("true")),
    (Mark.MAUTIC, "mautic:disable-tracking", _present),  # until Mautic 7
    (Mark.AHOY, "data-skip-click", _present),
)
assert {mark for mark, _, _ in _RULES} == set(Mark)  # noqa: S101 (one without a rule would be ignored without a word)

HINTS = ("track", "skip-click")
"""Each mark holds one of these, so a tag without them opts out of nothing."""
assert all(any(hint in name or name == "class" for hint in HINTS) for _, name, _ in _RULES)  # noqa: S101

DEFAULT_MARKS = frozenset(Mark) - {Mark.CUSTOMERIO}
"""All but Customer.io's, which is an ordinary class name that a template may use for something else."""


def opts_out(attributes: Mapping[str, str], marks: frozenset[Mark]) -> bool:
    """Whether a link's attributes (values as written) carry one of the marks. Ours counts always."""
    for mark, name, asks in _RULES:
        value = attributes.get(name)
        if value is not None and (mark is Mark.SMTPD or mark in marks) and asks(value):
            return True
    return False
