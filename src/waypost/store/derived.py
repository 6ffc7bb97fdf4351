"""Columns that are no facts but worked out from some: by what, and from what.

They are the only ones that are ever written again (`history.py`), and always from columns of the same row.
"""

from typing import Final

from msgspec import Struct

from waypost.events.client import HINTS


class Derived(Struct, frozen=True):
    """Columns that one enrichment step fills."""

    step: str
    """Its name, as `unenriched` has it."""
    key: str
    """SQL of a text: rows that share it share what the step finds out."""
    inputs: str
    """SQL of what the step needs, one expression per value, aggregated over the rows of a key."""
    condition: str
    """SQL: rows that the step has anything to do with."""
    columns: tuple[tuple[str, str], ...]
    """Names, and the types that their values travel in."""


_HITS: Final = "outcome != ''"
_HINTS: Final = ", ".join(f"headers['{name}']" for name in HINTS)

CLIENT: Final = Derived(
    step="client",
    # A user agent takes 150 bytes, a hash that no two share 16. Only an open can be an image proxy's.
    key=f"hex(sipHash128(event, user_agent, {_HINTS}))",
    inputs=f"any(event), any(user_agent), any([{_HINTS}])",
    # Without its headers a hit has no client, and would lose the one it has.
    condition=f"{_HITS} AND NOT has(cleared, 'user_agent')",
    columns=(
        ("browser", "String"),
        ("browser_version", "String"),
        ("os", "String"),
        ("os_version", "String"),
        ("device", "String"),
        ("device_type", "String"),
        ("image_proxy", "String"),
    ),
)

LOCATION: Final = Derived(
    step="location",
    key="client_address",
    inputs="client_address",
    # Likewise: an address that was cleared is empty.
    condition=f"{_HITS} AND client_address != ''",
    columns=(
        ("country", "String"),
        ("region", "String"),
        ("city", "String"),
        ("latitude", "Float32"),
        ("longitude", "Float32"),
        ("time_zone", "String"),
        ("asn", "UInt32"),
        ("as_organisation", "String"),
    ),
)
