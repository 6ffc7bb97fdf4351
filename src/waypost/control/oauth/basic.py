"""Basic credentials: an API key as user name and its secret as password, or an account's address and its password."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from waypost.control.context import Control
from waypost.control.errors import CredentialsInvalidError

_BASIC = HTTPBasic(auto_error=False, description="An API key and its secret, or an account's address and its password.")
_Answer = TypeVar("_Answer")

# Each takes 19 MB and a core for a while. A flood of logins waits here, in no thread that others need.
_AT_ONCE = CapacityLimiter(4)

Credentials = Annotated[HTTPBasicCredentials | None, Security(_BASIC)]


async def with_credentials(
    control: Control,
    address: str,
    credentials: HTTPBasicCredentials | None,
    act: Callable[[Control, str, str], _Answer],
) -> _Answer:
    """What `act` makes of a key and a secret; that it refuses them is counted.

    Args:
        control: the parts behind the API.
        address: of the client.
        credentials: None is refused.
        act: blocks.

    Raises:
        CredentialsInvalidError: there are none, or `act` refuses them.
        TooManyAttemptsError: too many were refused.
    """
    if credentials is None:
        raise CredentialsInvalidError
    key, secret = credentials.username, credentials.password
    with control.limits.login(key, address):
        return await to_thread.run_sync(act, control, key, secret, limiter=_AT_ONCE)
