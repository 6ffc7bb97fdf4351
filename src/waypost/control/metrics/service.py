"""Who may read the core's metrics."""

from datetime import timedelta
from typing import Final

from waypost.control.context import Control
from waypost.control.errors import CredentialsInvalidError, OperatorsOnlyError, RoleForbidsError
from waypost.control.keys.service import authenticate
from waypost.control.permissions import PERMISSIONS, Permission
from waypost.db.tables import Account, ApiKey

_NEEDED = (Permission.READ, Permission.MANAGE)
_NOTED_AFTER: Final = timedelta(days=1)
"""A scrape writes nothing most of the time; the use of a key has to be known to within its 90 idle days."""


def check_operator(control: Control, key: str, secret: str) -> None:
    """Let an operator's key pass, of a role that reads or manages.

    Raises:
        CredentialsInvalidError: no such key, wrong secret, or revoked.
        RoleForbidsError: its role does neither.
        OperatorsOnlyError: it is not an operator's.
    """
    api_key = authenticate(control.database, control.sources, key, secret)
    if api_key is None:
        raise CredentialsInvalidError
    if PERMISSIONS[api_key.role].isdisjoint(_NEEDED):
        raise RoleForbidsError(api_key.role, *_NEEDED)
    with control.database.reading() as session:
        if not session.get_one(Account, api_key.account).is_operator:
            raise OperatorsOnlyError
    now = control.sources.now()
    if api_key.last_used_at is None or now - api_key.last_used_at > _NOTED_AFTER:
        with control.database.writing() as session:
            session.get_one(ApiKey, api_key.number).last_used_at = now
