"""Tracked links: which links of a message to track, and the tokens they become.

    from waypost.links import Policy, plan

    p = plan(html, Policy())
    p.render(lambda link: f"https://links.example.com/c/{...}")

Pure and usable alone: no server, no store, no I/O.
"""

from waypost.links.html import Part
from waypost.links.optout import Mark
from waypost.links.policy import Handling, Policy
from waypost.links.reason import Decision, Reason
from waypost.links.rewrite import Link, Plan, Report, pixel_markup, plan

__all__ = [
    "Decision",
    "Handling",
    "Link",
    "Mark",
    "Part",
    "Plan",
    "Policy",
    "Reason",
    "Report",
    "pixel_markup",
    "plan",
]
