"""The closed sets of the control database: their values are API strings, log fields and metric labels alike."""

from enum import StrEnum


class AccountState(StrEnum):
    """Only an approved account may send or have anything encoded."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class Role(StrEnum):
    """What an API key may do."""

    IAC = "iac"
    STANDARD = "standard"
    READ_ONLY = "read_only"
    SEND_ONLY = "send_only"


class PrivacyMode(StrEnum):
    """How much may be known of who clicks and opens: `waypost.links.token.Privacy`, and not at all."""

    IDENTIFIED = "identified"
    PSEUDONYMOUS = "pseudonymous"
    ANONYMOUS = "anonymous"
    OFF = "off"
    """Nothing is tracked: for who does not consent."""


class ErasureState(StrEnum):
    """How far the erasure of an address is."""

    REQUESTED = "requested"
    ERASED = "erased"
    """No row tells of it any more; free pages and old files may."""
    PURGED = "purged"


class ProfileState(StrEnum):
    """Only an active profile may send."""

    CREATING = "creating"
    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"


class DkimAlgorithm(StrEnum):
    """What a DKIM key signs with: the values of the tag `k=` in its DNS record."""

    RSA = "rsa"
    ED25519 = "ed25519"


class SendState(StrEnum):
    """How far a send has come; each is also the name of the event that says so."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PROCESSED = "processed"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCE = "bounce"
    REJECTED = "rejected"


class DeliveryState(StrEnum):
    """Where a message stands in the delivery queue."""

    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class OutboxTopic(StrEnum):
    """What an outbox row tells the pipeline."""

    SEND = "send"
    SEND_EVENT = "send_event"


class WebhookFormat(StrEnum):
    """In whose words an endpoint is told."""

    WAYPOST = "waypost"
    POSTMARK = "postmark"


class WebhookTiming(StrEnum):
    """When an endpoint is told of a click or an open."""

    IMMEDIATE = "immediate"
    AFTER_VERDICT = "after_verdict"


class EndpointState(StrEnum):
    """Only an enabled endpoint is told of anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class NoticeState(StrEnum):
    """How far a webhook message has come at one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptOutcome(StrEnum):
    """What came of one attempt to deliver a webhook message."""

    DELIVERED = "delivered"
    STATUS = "status"
    """An answer that is not 2xx."""
    GONE = "gone"
    """410: the receiver wants no more of them."""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No such name, no connection, or no valid certificate."""
    BROKEN = "broken"
    """Connected, and then no HTTP answer."""
    REFUSED = "refused"
    """Not tried: the address is not one of the Internet."""
    MISSING = "missing"
    """Not tried: the event is not kept any more."""
