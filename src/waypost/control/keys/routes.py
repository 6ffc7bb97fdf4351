"""`/api/v1/account/api_key`: what applications log in with."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.keys.schema import ApiKeyView, CreatedApiKeyView, NewApiKey, SessionView
from waypost.control.keys.service import (
    create_api_key,
    find_api_key,
    list_api_keys,
    list_sessions,
    revoke_api_key,
)
from waypost.control.oauth.bearer import Manager
from waypost.control.responses import NO_STORE, refusals

router = APIRouter(prefix="/api/v1/account/api_key", tags=["account"])

KeyId = Annotated[UUID, Path(description="`id` of the key; not the `key` that one logs in with.")]

_MANAGING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS)
_OF_ONE = _MANAGING | refusals(Code.NO_SUCH_OBJECT)


@router.post(
    "",
    status_code=201,
    responses=_MANAGING | refusals(Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BODY_TOO_LARGE),
)
def create_key(control: ControlParts, principal: Manager, response: Response, body: NewApiKey) -> CreatedApiKeyView:
    """Create a key. Its secret is shown here and never again."""
    created = create_api_key(control.database, control.sources, principal.account.public_id, body)
    response.headers["Cache-Control"] = NO_STORE
    return CreatedApiKeyView.created(created.api_key, created.secret)


@router.get("", responses=_MANAGING)
def keys(control: ControlParts, principal: Manager) -> list[ApiKeyView]:
    """List the account's keys, oldest first, revoked ones included."""
    return [ApiKeyView.of(row) for row in list_api_keys(control.database, principal.account.public_id)]


@router.get("/{key_id}", responses=_OF_ONE)
def get_key(control: ControlParts, principal: Manager, key_id: KeyId) -> ApiKeyView:
    """Show a key."""
    return ApiKeyView.of(find_api_key(control.database, principal.account, key_id))


@router.get("/{key_id}/sessions", responses=_OF_ONE)
def get_sessions(control: ControlParts, principal: Manager, key_id: KeyId) -> list[SessionView]:
    """List the newest 1,000 logins with a key that have not expired, newest first."""
    return [SessionView.of(row) for row in list_sessions(control.database, control.sources, principal.account, key_id)]


@router.put("/{key_id}/revoke", responses=_OF_ONE)
def revoke_key(control: ControlParts, principal: Manager, key_id: KeyId) -> ApiKeyView:
    """End a key at once, with every access token it was given. Doing it twice changes nothing."""
    key = find_api_key(control.database, principal.account, key_id)
    return ApiKeyView.of(revoke_api_key(control.database, control.sources, key.public_id))
