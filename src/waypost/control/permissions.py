"""What each role may do: one table, which the routes, the tokens' scopes and the tests read."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from waypost.db.states import Role


class Permission(StrEnum):
    """What a route asks for; also the scopes of an access token."""

    SEND = "send"
    READ = "read"
    MANAGE = "manage"
    BLOCK = "block"
    ERASE = "erase"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.IAC: frozenset({Permission.MANAGE, Permission.BLOCK, Permission.ERASE}),
        Role.STANDARD: frozenset({Permission.SEND, Permission.READ, Permission.BLOCK, Permission.ERASE}),
        Role.READ_ONLY: frozenset({Permission.READ}),
        Role.SEND_ONLY: frozenset({Permission.SEND}),
    }
)
MAY: Mapping[Permission, str] = MappingProxyType(
    {
        Permission.SEND: "send messages",
        Permission.READ: "read sends, events, counts, profiles and webhooks",
        Permission.MANAGE: "manage profiles, webhooks, API keys and the account's settings",
        Permission.BLOCK: "switch links off",
        Permission.ERASE: "erase recipients",
    }
)
"""In words that follow "may"."""


def may(role: Role) -> str:
    """All that a role may do, in words."""
    return "; ".join(words for permission, words in MAY.items() if permission in PERMISSIONS[role])


def roles_with(*needed: Permission) -> list[Role]:
    """The roles that have one of these."""
    return [role for role in Role if not PERMISSIONS[role].isdisjoint(needed)]


def scope(role: Role) -> list[str]:
    """The role's permissions as an access token and its answer list them."""
    return sorted(PERMISSIONS[role])
