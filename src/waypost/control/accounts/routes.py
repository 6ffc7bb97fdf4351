"""`/api/v1/account`: opening an account, and how it stands."""

from fastapi import APIRouter, Response

from waypost.control.accounts.schema import (
    AccountPrivacy,
    AccountView,
    NewAccount,
    NewAccountView,
    NewPassword,
    ReadersRetention,
)
from waypost.control.accounts.service import keep, set_privacy, sign_up
from waypost.control.context import ClientAddress, ControlParts
from waypost.control.errors import Code, SignUpClosedError
from waypost.control.keys.schema import ApiKeyView, CreatedApiKeyView
from waypost.control.keys.service import set_password
from waypost.control.oauth.bearer import Anyone, Manager
from waypost.control.responses import NO_STORE, refusals

router = APIRouter(prefix="/api/v1/account", tags=["account"])


@router.post(
    "",
    status_code=201,
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.SIGN_UP_CLOSED, Code.CONFLICT, Code.BODY_TOO_LARGE,
        Code.TOO_MANY_ATTEMPTS,
    ),
)  # fmt: skip
def create_account(
    control: ControlParts, address: ClientAddress, response: Response, body: NewAccount
) -> NewAccountView:
    """Open an account. It is `pending`: it can be set up, and sends once an operator has approved it.

    Needs no access token, and gives the account's first API key, of role `iac`: its secret is shown here and never
    again. Five in an hour from one address.
    """
    if not control.settings.control.sign_up:
        raise SignUpClosedError
    control.limits.sign_up(address)
    account, created = sign_up(control.database, control.sources, body)
    response.headers["Cache-Control"] = NO_STORE
    return NewAccountView.with_key(account, CreatedApiKeyView.created(created.api_key, created.secret))


@router.get("", responses=refusals(Code.BEARER_INVALID))
def account(principal: Anyone) -> AccountView:
    """Say how the account stands and, when it is rejected or suspended, why."""
    return AccountView.of(principal.account)


@router.put(
    "/password",
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.BODY_TOO_LARGE
    ),
)
def put_password(control: ControlParts, principal: Manager, body: NewPassword) -> ApiKeyView:
    """Set the account's password: with it and the account's e-mail address `POST /oauth/token` gives access tokens too.

    They are of role `standard`. Otherwise it is a key like others: it is listed and revoked with them, and by 90 idle
    days. A new password ends the sessions of the one before.
    """
    row = set_password(control.database, control.sources, principal.account.public_id, body.password)
    return ApiKeyView.of(row)


@router.put(
    "/privacy",
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.BODY_TOO_LARGE
    ),
)
def set_account_privacy(control: ControlParts, principal: Manager, body: AccountPrivacy) -> AccountView:
    """Say how much is known of readers whose message, and who themselves, name no privacy mode. Extension.

    It holds for what is accepted from then on.
    """
    return AccountView.of(set_privacy(control.database, control.sources, principal.account.public_id, body))


@router.put(
    "/retention",
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.BODY_TOO_LARGE
    ),
)
def set_account_retention(control: ControlParts, principal: Manager, body: ReadersRetention) -> AccountView:
    """Say how long what is stored of readers is kept. What is older goes within a day, for good. Extension."""
    days = body.model_dump(exclude_unset=True)
    return AccountView.of(keep(control.database, control.sources, principal.account.public_id, days))
