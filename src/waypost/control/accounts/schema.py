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

# Ten years, as in the settings `control.content_days` and `[retention]`.
MAX_DAYS = 3650


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


Days = Annotated[int, Field(ge=0, le=MAX_DAYS)]


class ReadersRetention(RequestModel):
    """How long what is stored of readers is kept. A field that is left out stays as it is."""

    event_days: Annotated[
        Days | None,
        Field(
            description="Of clicks, opens and the states of sends, and of sends none of which is kept. 0: for ever; "
            "null: as the install has it."
        ),
    ] = None
    address_days: Annotated[
        Days | None, Field(description="Of readers' addresses. Place and network stay. 0 and null likewise.")
    ] = None
    user_agent_days: Annotated[
        Days | None,
        Field(description="Of user agents and other headers. Client and verdict stay. 0 and null likewise."),
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
    event_days: Annotated[
        int | None,
        Field(description="Extension. See `PUT /api/v1/account/retention`; 0: for ever, null: as the install has it."),
    ]
    address_days: Annotated[int | None, Field(description="Extension. Likewise.")]
    user_agent_days: Annotated[int | None, Field(description="Extension. Likewise.")]
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
        "event_days": account.event_days,
        "address_days": account.address_days,
        "user_agent_days": account.user_agent_days,
        "created_at_utc": unix_seconds(account.created_at),
        "modified_at_utc": unix_seconds(account.modified_at),
    }
