"""What the control API refuses, and the codes it says so with.

    ControlError                     every refusal; `code` is the number in the answer's body
    ├── InvalidFieldError            a field or parameter breaks a rule
    ├── UnsupportedGrantError        a grant type other than password and refresh_token
    ├── NoActiveProfileError         nothing to send with for this domain
    ├── BearerInvalidError           no access token, or one that is no longer good
    ├── CredentialsInvalidError      wrong key or secret
    ├── RefreshTokenInvalidError     ended, expired or never issued
    ├── RoleForbidsError             the key's role does not include this
    ├── OperatorsOnlyError           for the operator's account only
    ├── OperatorsBlockError          an operator switched the link off: only an operator switches it on again
    ├── SignUpClosedError            accounts are made by operators only
    ├── NotFoundError                no such object, or another account's: the two must look alike
    ├── ContentExpiredError          the send is there, what it consisted of is not kept any more
    ├── AccountNotApprovedError      the account may not send
    ├── ConflictError                the state of things does not allow it
    ├── IdempotencyKeyUsedError      the same Idempotency-Key came with something else
    ├── BodyTooLargeError            more than is taken at this path
    └── LaterError                   not now; says when to come again
        ├── TooManyAttemptsError     too often
        └── UnavailableError         something this needs is not there
    UnconfirmedError                 no refusal: what is known from an earlier request may not be true any more

Messages are plain sentences for the client; they never quote what it sent unless that has been validated.
"""

from enum import IntEnum
from typing import ClassVar

from waypost.control.permissions import Permission, roles_with
from waypost.db.states import AccountState, Role

# smtpd-compatible clients send attachments elsewhere; 10 MB of HTML is a hundred times what Gmail shows.
MAX_BODY_BYTES = 10 * 1024 * 1024
# Whoever has no access token yet asks for one or for an account, in a few hundred bytes.
MAX_STRANGERS_BODY_BYTES = 64 * 1024


class UnconfirmedError(Exception):
    """What an earlier request knew of a session was not confirmed: nothing was done, and it has to be read anew."""


class Code(IntEnum):
    """`code` of an error body: the HTTP status, then two digits. 40020, 40102 and 40901 are SMTPD's own."""

    BODY_MALFORMED = 40001
    FIELD_INVALID = 40002
    GRANT_UNSUPPORTED = 40003
    NO_ACTIVE_PROFILE = 40020
    BEARER_INVALID = 40101
    CREDENTIALS_INVALID = 40102
    REFRESH_TOKEN_INVALID = 40103
    ROLE_FORBIDS = 40301
    OPERATORS_ONLY = 40302
    SIGN_UP_CLOSED = 40303
    NO_SUCH_PATH = 40401
    NO_SUCH_OBJECT = 40402
    CONTENT_EXPIRED = 40403
    METHOD_NOT_ALLOWED = 40501
    ACCOUNT_NOT_APPROVED = 40901
    CONFLICT = 40902
    IDEMPOTENCY_KEY_USED = 40903
    BODY_TOO_LARGE = 41301
    TOO_MANY_ATTEMPTS = 42901
    INTERNAL = 50001
    STORE_UNAVAILABLE = 50301
    DATABASE_UNAVAILABLE = 50302
    UNAVAILABLE = 50303

    @property
    def status(self) -> int:
        """The HTTP status it goes out with."""
        return self // 100


class ControlError(Exception):
    """A refusal; `str()` is the message for the client."""

    code: ClassVar[Code]


class InvalidFieldError(ControlError):
    """A rule that needs more than one field, or the world, to check.

    Attributes:
        field: its name on the wire.
        rule: what it must be, in words that follow the field's name.
    """

    code = Code.FIELD_INVALID

    def __init__(self, field: str, rule: str) -> None:
        self.field = field
        self.rule = rule
        super().__init__(f"{field}: {rule}")


class UnsupportedGrantError(ControlError):
    """The `grant_type` is none of ours."""

    code = Code.GRANT_UNSUPPORTED

    def __init__(self) -> None:
        super().__init__("grant_type: must be password or refresh_token")


class NoActiveProfileError(ControlError):
    """No active sending profile of the account has this domain.

    Attributes:
        domain: the domain of `from_email_address`.
    """

    code = Code.NO_ACTIVE_PROFILE

    def __init__(self, domain: str) -> None:
        self.domain = domain
        super().__init__(f"from_email_address: there is no active sending profile for the domain {domain}")


class BearerInvalidError(ControlError):
    """No access token, or one that is altered, expired or revoked: which, is nobody's business."""

    code = Code.BEARER_INVALID

    def __init__(self) -> None:
        super().__init__("the bearer token is missing or no longer good: ask for one at POST /oauth/token")


class CredentialsInvalidError(ControlError):
    """Unknown key, wrong secret or revoked key: the same answer, so that keys cannot be guessed one half at a time."""

    code = Code.CREDENTIALS_INVALID

    def __init__(self) -> None:
        super().__init__(
            "bad credentials: send an API key and its secret, or an account's e-mail address and password, as "
            "Authorization: Basic base64(key:secret)"
        )


class RefreshTokenInvalidError(ControlError):
    """The refresh token does not, or does no longer, stand for a session."""

    code = Code.REFRESH_TOKEN_INVALID

    def __init__(self) -> None:
        super().__init__("refresh_token: it is not known, has expired or was ended by a later login; log in again")


class RoleForbidsError(ControlError):
    """The key is good, but not for this.

    Attributes:
        role: of the key.
        needed: the permissions of which the route asks for one.
    """

    code = Code.ROLE_FORBIDS

    def __init__(self, role: Role, *needed: Permission) -> None:
        self.role = role
        self.needed = needed
        super().__init__(
            f"an API key of role {role} may not do this: make a key of role {' or '.join(roles_with(*needed))}"
        )


class OperatorsOnlyError(ControlError):
    """The account is not the operator's: the same answer whatever was asked about, there or not."""

    code = Code.OPERATORS_ONLY

    def __init__(self) -> None:
        super().__init__("only an operator may do this")


class OperatorsBlockError(ControlError):
    """The account whose link it is sees the block, and did not make it."""

    code = Code.OPERATORS_ONLY

    def __init__(self) -> None:
        super().__init__("what an operator blocked, only an operator lifts")


class SignUpClosedError(ControlError):
    """The setting `control.sign_up` is off."""

    code = Code.SIGN_UP_CLOSED

    def __init__(self) -> None:
        super().__init__("accounts are not opened here by themselves: ask the operator for one")


class NotFoundError(ControlError):
    """Absent, or another account's.

    Attributes:
        noun: what kind of thing was looked for.
    """

    code = Code.NO_SUCH_OBJECT

    def __init__(self, noun: str) -> None:
        self.noun = noun
        super().__init__(f"there is no such {noun}")


class ContentExpiredError(ControlError):
    """The content's retention has passed."""

    code = Code.CONTENT_EXPIRED

    def __init__(self) -> None:
        super().__init__("the content of this send is no longer kept, nor its link report")


class AccountNotApprovedError(ControlError):
    """Nothing is sent or encoded for an account that an operator has not approved.

    Attributes:
        state: of the account.
        reason: what the operator said, for the owner to read.
    """

    code = Code.ACCOUNT_NOT_APPROVED

    def __init__(self, state: AccountState, reason: str | None) -> None:
        self.state = state
        self.reason = reason
        super().__init__(f"this account may not send: it is {state}" + (f" ({reason})" if reason else ""))


class ConflictError(ControlError):
    """What is asked does not go together with what is there."""

    code = Code.CONFLICT


class IdempotencyKeyUsedError(ControlError):
    """The key stands for another request of the account, of the last 24 hours."""

    code = Code.IDEMPOTENCY_KEY_USED

    def __init__(self) -> None:
        super().__init__("Idempotency-Key: it has been used for another request; take a new key for a new request")


class BodyTooLargeError(ControlError):
    """The request body is over the limit."""

    code = Code.BODY_TOO_LARGE

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the request body is larger than {max_bytes} bytes")


class LaterError(ControlError):
    """Not now.

    Attributes:
        retry_after_seconds: when to come again.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class TooManyAttemptsError(LaterError):
    """Tried too often."""

    code = Code.TOO_MANY_ATTEMPTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"too many attempts: try again in {retry_after_seconds} seconds", retry_after_seconds)


class UnavailableError(LaterError):
    """Something this needs is not there now."""

    code = Code.UNAVAILABLE

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(f"{message}: try again later", retry_after_seconds)
