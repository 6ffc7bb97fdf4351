"""What an account is made of."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import EmailAddress, Name, Password, RequestModel
from waypost.control.keys.schema import CreatedApiKeyView
from waypost.control.times import unix_seconds
from waypost.db.states import AccountState, PrivacyMode
from waypost.db.tables import Account
from waypost.links.token import IpPolicy


class NewAccount(RequestModel):
    """An account to be created; it starts `pending`."""

    name: Name
    email: EmailAddress
    password: Annotated[
        Password | None, Field(repr=False, description="Optional; see `PUT /api/v1/account/password`.")
    ] = None


class NewPassword(RequestModel):
    """What the owner of an account logs in with."""

    password: Annotated[Password, Field(repr=False)]


class AccountPrivacy(RequestModel):
    """What holds for messages that say nothing else."""

    privacy_mode: Annotated[
        Annotated[PrivacyMode, Field(strict=False)] | None,
        Field(description="How much is known of who clicks, see `POST /api/v1/email/send`; null: `identified`."),
    ] = None
    ip_policy: Annotated[
        Annotated[IpPolicy, Field(strict=False)] | None,
        Field(description="What is kept of readers' addresses; null: `full` when identified, else `truncated`."),
    ] = None


class AccountView(BaseModel):
    """An account."""

    account_id: UUID
    name: str
    email: str
    state: AccountState
    state_reason: Annotated[str | None, Field(description="Why it is rejected or suspended, in the operator's words.")]
    is_account_verified: Annotated[bool, Field(description="Whether it is approved, and so may send.")]
    privacy_mode: Annotated[PrivacyMode | None, Field(description="Extension. See `PUT /api/v1/account/privacy`.")]
    ip_policy: Annotated[IpPolicy | None, Field(description="Extension. Likewise.")]
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    modified_at_utc: Annotated[int, Field(description="Unix seconds.")]

    @classmethod
    def of(cls, account: Account) -> "AccountView":
        """As its owner sees it."""
        return cls(**account_fields(account))


class NewAccountView(AccountView):
    """A new account with its first key."""

    api_key: Annotated[CreatedApiKeyView, Field(description="Of role `iac`: it makes profiles and further keys.")]

    @classmethod
    def with_key(cls, account: Account, api_key: CreatedApiKeyView) -> "NewAccountView":
        """As it is shown, once."""
        return cls(**account_fields(account), api_key=api_key)


def account_fields(account: Account) -> dict[str, Any]:
    """The fields of `AccountView`."""
    return {
        "account_id": account.public_id,
        "name": account.name,
        "email": account.email,
        "state": account.state,
        "state_reason": account.rejected_reason,
        "is_account_verified": account.state is AccountState.APPROVED,
        "privacy_mode": account.privacy_mode,
        "ip_policy": account.ip_policy,
        "created_at_utc": unix_seconds(account.created_at),
        "modified_at_utc": unix_seconds(account.modified_at),
    }
