"""The tables of the control database.

Each is written by one part only: control writes accounts to reports, mail writes deliveries and the state of a send
once control has inserted them, webhooks writes notices, attempts and the health of an endpoint, and whoever writes a
fact writes its outbox row in the same transaction.
Numbers (`accounts.number`, `profiles.number`) are what tokens carry; they are never given out twice.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, MetaData, String, Text, Uuid, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from waypost.db.states import (
    AccountState,
    AttemptOutcome,
    DeliveryState,
    DkimAlgorithm,
    EndpointState,
    ErasureState,
    NoticeState,
    OutboxTopic,
    PrivacyMode,
    ProfileState,
    Role,
    SendState,
    WebhookFormat,
    WebhookTiming,
)
from waypost.db.types import CompressedJson, CompressedText, Json, Number, SearchWords, UtcDateTime, enum_of
from waypost.events.notice import NoticeType
from waypost.fleet.snapshot import BlockKind
from waypost.links.token import IpPolicy

# RFC 5321, section 4.5.3.1: 64 octets, "@", 255 octets.
ADDRESS_CHARACTERS = 320
# RFC 1035, section 2.3.4.
DOMAIN_CHARACTERS = 255


class Base(MappedAsDataclass, DeclarativeBase):
    """Tables as typed dataclasses; constraint names are fixed so that a migration can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        UUID: Uuid,
        bytes: LargeBinary,
        AccountState: enum_of(AccountState),
        AttemptOutcome: enum_of(AttemptOutcome),
        BlockKind: enum_of(BlockKind),
        DeliveryState: enum_of(DeliveryState),
        DkimAlgorithm: enum_of(DkimAlgorithm),
        EndpointState: enum_of(EndpointState),
        ErasureState: enum_of(ErasureState),
        IpPolicy: enum_of(IpPolicy),
        NoticeState: enum_of(NoticeState),
        NoticeType: enum_of(NoticeType),
        OutboxTopic: enum_of(OutboxTopic),
        PrivacyMode: enum_of(PrivacyMode),
        ProfileState: enum_of(ProfileState),
        Role: enum_of(Role),
        SendState: enum_of(SendState),
        WebhookFormat: enum_of(WebhookFormat),
        WebhookTiming: enum_of(WebhookTiming),
    }


class Account(Base, kw_only=True):
    """Who sends, who owns keys and profiles, and whom an operator approved or did not."""

    __tablename__ = "accounts"
    # Without AUTOINCREMENT SQLite hands out the number of a deleted last row again.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(256))
    email: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS), unique=True)
    is_operator: Mapped[bool] = mapped_column(default=False)
    """May decide on other accounts."""
    state: Mapped[AccountState] = mapped_column(default=AccountState.PENDING)
    rejected_reason: Mapped[str | None] = mapped_column(Text, default=None)
    """Why it was rejected or suspended; the owner sees it."""
    content_days: Mapped[int | None] = mapped_column(default=None)
    """How long the content of its messages is kept; None: the setting `control.content_days`."""
    event_days: Mapped[int | None] = mapped_column(default=None)
    """How long its events are kept, and its sends with them; 0: for ever; None: the setting `retention.event_days`."""
    address_days: Mapped[int | None] = mapped_column(default=None)
    """Of readers' addresses; likewise."""
    user_agent_days: Mapped[int | None] = mapped_column(default=None)
    """Of their user agents and other headers; likewise."""
    privacy_mode: Mapped[PrivacyMode | None] = mapped_column(default=None)
    """Of messages that name none; None: identified."""
    ip_policy: Mapped[IpPolicy | None] = mapped_column(default=None)
    """Likewise; None: as the privacy mode has it."""
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class AccountDecision(Base, kw_only=True):
    """One step in an account's approval history; rows are only ever added."""

    __tablename__ = "account_decisions"

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"), index=True)
    state: Mapped[AccountState]
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    decided_by: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS))
    """`cli`, or the operator's e-mail address."""
    decided_at: Mapped[datetime]


class ApiKey(Base, kw_only=True):
    """A key and the argon2id hash of its secret; the secret itself is shown once and kept nowhere."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index(
            "ix_api_keys_password_account",
            "account",
            unique=True,
            sqlite_where=text("is_password"),
            postgresql_where=text("is_password"),
        ),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"), index=True)
    name: Mapped[str] = mapped_column(String(256))
    role: Mapped[Role]
    key: Mapped[str] = mapped_column(String(64), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(256), repr=False)
    is_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its secret is a password of the owner's choice, and its account's e-mail address a user name for it."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(default=None)
    """Last token request, not last API request: requests do not write."""
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class AuthSession(Base, kw_only=True):
    """One password grant: its refresh token, and what its access tokens are checked against."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        # One of a key at most: a login ends it, however many were before.
        Index(
            "ix_auth_sessions_current",
            "api_key",
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    api_key: Mapped[int] = mapped_column(ForeignKey("api_keys.number"), index=True)
    refresh_token_hash: Mapped[str] = mapped_column(String(64), unique=True, repr=False)
    """SHA-256, hex. The token has 256 random bits, so a slow hash would add nothing."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None] = mapped_column(default=None)
    """A later password grant ended the refresh token; access tokens already out live on."""
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    """Revoked by its owner: access tokens end as well."""


class SigningKey(Base, kw_only=True):
    """A secret that signs access tokens, sealed with `control.key`."""

    __tablename__ = "signing_keys"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The `kid` of the JWTs it signed."""
    sealed_secret: Mapped[bytes] = mapped_column(repr=False)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None] = mapped_column(default=None)
    """Signs no more from then on, but still verifies what it signed."""


class Profile(Base, kw_only=True):
    """A sending domain with its link domain and bounce domain."""

    __tablename__ = "profiles"
    __table_args__ = (
        Index("ix_profiles_account_sending_domain", "account", "sending_domain"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"))
    profile_name: Mapped[str] = mapped_column(String(256))
    sending_domain: Mapped[str] = mapped_column(String(DOMAIN_CHARACTERS))
    """This and the other domains: lower case, A-labels, no final dot, no port."""
    link_domain: Mapped[str] = mapped_column(String(DOMAIN_CHARACTERS), index=True)
    link_domain_default_redirect: Mapped[str] = mapped_column(Text, default="")
    """An http or https URL, or empty."""
    bounce_domain: Mapped[str] = mapped_column(String(DOMAIN_CHARACTERS), default="")
    state: Mapped[ProfileState] = mapped_column(default=ProfileState.CREATING)
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """The row stays: links minted for it go on working."""


class DkimKey(Base, kw_only=True):
    """A key that signs a profile's messages (RFC 6376). It outlives the profile: mail on its way is still verified."""

    __tablename__ = "dkim_keys"

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    profile: Mapped[int] = mapped_column(ForeignKey("profiles.number"), index=True, init=False)
    """Set when it is stored: keys are made before the transaction that makes their profile."""
    algorithm: Mapped[DkimAlgorithm]
    selector: Mapped[str] = mapped_column(String(27), unique=True)
    """A KSUID in lower case: DNS knows no letter case, and providers show names in lower case."""
    sealed_private_key: Mapped[bytes] = mapped_column(repr=False)
    """PKCS #8, DER; see `waypost.db.dkim_keys`."""
    public_key: Mapped[str] = mapped_column(Text)
    """The tag `p=` of its DNS record: base64 of SubjectPublicKeyInfo (RSA), or of the bare 32 bytes (Ed25519)."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None] = mapped_column(default=None)
    """Since then the checks see its record; None while they do not. An Ed25519 key signs only then."""


class ProfileCheck(Base, kw_only=True):
    """When a profile's domains are looked at next, and what was seen last. Gone when the profile is deleted."""

    __tablename__ = "profile_checks"

    profile: Mapped[int] = mapped_column(ForeignKey("profiles.number"), primary_key=True)
    watched_from: Mapped[datetime]
    """Since then somebody waits for a result: its creation, a request, a loss. The longer ago, the rarer the checks."""
    next_check_at: Mapped[datetime] = mapped_column(index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(default=None)
    """A process looks at it until then; past it, the process is taken for dead."""
    checked_at: Mapped[datetime | None] = mapped_column(default=None)
    lost_at: Mapped[datetime | None] = mapped_column(default=None)
    """When what had made it active was found missing; None while nothing is."""
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default_factory=list)
    """What was seen last: `waypost.control.verification.findings.Finding` each."""


class LinkDomain(Base, kw_only=True):
    """Which account a link domain belongs to, until an operator releases it. Development domains are not listed."""

    __tablename__ = "link_domains"

    domain: Mapped[str] = mapped_column(String(DOMAIN_CHARACTERS), primary_key=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"), index=True)
    claimed_at: Mapped[datetime]
    proven_at: Mapped[datetime | None] = mapped_column(default=None)
    """Since then it is the account's. Before, nobody is kept from it: another account may prove it and take the row."""
    published_at: Mapped[datetime | None] = mapped_column(default=None)
    """Since then edges know it: certificates may be had for it, and its default redirect answers."""


class Block(Base, kw_only=True):
    """Something switched off. A lifted block's row stays, with who lifted it and when."""

    __tablename__ = "blocks"
    __table_args__ = (
        Index(
            "ix_blocks_kind_target",
            "kind",
            "target",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    kind: Mapped[BlockKind]
    value: Mapped[str] = mapped_column(Text)
    """What it is about, for people: a destination, an id, a host."""
    target: Mapped[str] = mapped_column(Text)
    """The same in the snapshot's words: `fleet.snapshot.Blocks`."""
    account: Mapped[int | None] = mapped_column(ForeignKey("accounts.number"), index=True)
    """Whose it is; None for a host or a key."""
    reason: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS))
    """`cli`, or an account's e-mail address."""
    created_at: Mapped[datetime]
    removed_by: Mapped[str | None] = mapped_column(String(ADDRESS_CHARACTERS), default=None)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)


class Edge(Base, kw_only=True):
    """An edge on a machine of its own."""

    __tablename__ = "edges"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Its setting `edge.name`."""
    credential_hash: Mapped[str] = mapped_column(String(64), unique=True, repr=False)
    """SHA-256, hex."""
    report: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """What it said last: `waypost.fleet.courier.Report`."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None] = mapped_column(default=None)


class SnapshotVersion(Base, kw_only=True):
    """One row: the version of what edges are told, raised by every change of it."""

    __tablename__ = "snapshot_versions"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Number)
    changed_at: Mapped[datetime]


class Content(Base, kw_only=True):
    """A message's parts exactly as submitted; one row serves every recipient of a batch."""

    __tablename__ = "contents"
    __table_args__ = (
        Index("ix_contents_account_created_at", "account", "created_at"),
        {"sqlite_autoincrement": True},
    )

    content_id: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    account: Mapped[int | None] = mapped_column(Number, default=None)
    """Whose it is, for its retention. No foreign key: its sends have one. None: the release before wrote it."""
    html: Mapped[str | None] = mapped_column(CompressedText)
    text: Mapped[str | None] = mapped_column(CompressedText)
    headers: Mapped[list[list[str]] | dict[str, str] | None] = mapped_column(Json, default=None)
    """Further header fields: pairs of name and value, in their order. An earlier release kept an object, whose order
    PostgreSQL does not keep."""
    addressees: Mapped[dict[str, list[list[str]]] | None] = mapped_column(Json, default=None)
    """Whom the header names where that is not the recipient alone: pairs of name and address for `to` and `cc`."""
    report: Mapped[dict[str, Any] | None] = mapped_column(CompressedJson, default=None)
    """The rewrite report, as answered when the message was accepted; None without click tracking."""
    created_at: Mapped[datetime]


class ContentAttachment(Base, kw_only=True):
    """A file of a message; it goes when its content goes."""

    __tablename__ = "content_attachments"

    content_id: Mapped[int] = mapped_column(
        ForeignKey("contents.content_id", ondelete="CASCADE"), primary_key=True, init=False
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 0, in the order they were submitted."""
    name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    inline_id: Mapped[str | None] = mapped_column(Text)
    """Its Content-ID, by which the HTML part shows it; None: it stands beside the text."""
    data: Mapped[bytes] = mapped_column(repr=False)
    """As it is: what is attached most (PDF, images) is compressed already."""


class Send(Base, kw_only=True):
    """One message to one recipient: the slim record that outlives its content."""

    __tablename__ = "sends"
    # Version 7 UUIDs sort by time: the second index is also "newest first" of an account.
    __table_args__ = (Index("ix_sends_account_send_id", "account", "send_id"),)

    send_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Version 7."""
    send_key: Mapped[str] = mapped_column(String(27), unique=True)
    """KSUID."""
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"))
    profile: Mapped[int] = mapped_column(ForeignKey("profiles.number"))
    content_id: Mapped[int | None] = mapped_column(ForeignKey("contents.content_id", ondelete="SET NULL"), index=True)
    """None once the content's retention has passed."""
    from_email_address: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS))
    from_name: Mapped[str] = mapped_column(Text, default="")
    reply_to: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS), default="")
    recipient_email_address: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS))
    recipient_name: Mapped[str] = mapped_column(Text, default="")
    subject: Mapped[str] = mapped_column(Text, default="")
    open_tracking: Mapped[bool] = mapped_column(default=False)
    click_tracking: Mapped[bool] = mapped_column(default=False)
    privacy_mode: Mapped[PrivacyMode | None] = mapped_column(default=None)
    """What its tokens tell of the reader; None: identified, accepted by the release before."""
    ip_policy: Mapped[IpPolicy | None] = mapped_column(default=None)
    """What is kept of her address; None: all of it, as above."""
    tags: Mapped[list[str]] = mapped_column(Json, default_factory=list)
    list_unsubscribe: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """How this recipient gets off the list: the fields of `waypost.mime.Unsubscribe`."""
    state: Mapped[SendState] = mapped_column(default=SendState.ACCEPTED)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    """One sentence for the sender: why it bounced, or why it went out untracked."""
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class SearchEntry(Base, kw_only=True):
    """By which words a send is found; the rest of it is an index that each database has of its own kind: ADR 12."""

    __tablename__ = "search_entries"
    __table_args__ = (Index("ix_search_entries_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    """Of the send's delivery: it rises with each send, and found sends are listed by it."""
    send_id: Mapped[UUID] = mapped_column(ForeignKey("sends.send_id", ondelete="CASCADE"), index=True)
    words: Mapped[list[str]] = mapped_column(SearchWords)
    """See `waypost.control.sends.words`."""


class IdempotencyKey(Base, kw_only=True):
    """A request that must not be done twice, and how it was answered; kept for 24 hours."""

    __tablename__ = "idempotency_keys"

    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    """As the client chose it: the header `Idempotency-Key`."""
    request_digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the route and what was asked, hex."""
    status: Mapped[int]
    answer: Mapped[str] = mapped_column(CompressedText)
    """The body, JSON."""
    created_at: Mapped[datetime] = mapped_column(index=True)


class Report(Base, kw_only=True):
    """The rewrite report of a send that an earlier release accepted; it stands in `contents` now."""

    __tablename__ = "reports"

    send_id: Mapped[UUID] = mapped_column(ForeignKey("sends.send_id", ondelete="CASCADE"), primary_key=True)
    report: Mapped[dict[str, Any]] = mapped_column(CompressedJson)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Delivery(Base, kw_only=True):
    """A place in the delivery queue. Control inserts it with the send; from then on only mail writes it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        # Only what is still to do: the index stays small however many deliveries are kept.
        Index(
            "ix_deliveries_due",
            "next_attempt_at",
            sqlite_where=text("state IN ('queued', 'sending')"),
            postgresql_where=text("state IN ('queued', 'sending')"),
        ),
        {"sqlite_autoincrement": True},
    )

    delivery_id: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    send_id: Mapped[UUID] = mapped_column(ForeignKey("sends.send_id", ondelete="CASCADE"), unique=True)
    state: Mapped[DeliveryState] = mapped_column(default=DeliveryState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    first_attempt_at: Mapped[datetime | None] = mapped_column(default=None)
    """Giving up is counted from here: time on hold, before the relay was ever asked, does not count."""
    next_attempt_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None] = mapped_column(default=None)
    """A worker holds it until then; past it, the worker is taken for dead."""
    last_error: Mapped[str | None] = mapped_column(Text, default=None)
    created_at: Mapped[datetime]


class Outbox(Base, kw_only=True):
    """A fact on its way to the event store; the pipeline deletes the row once the fact is stored."""

    __tablename__ = "outbox"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    outbox_id: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    topic: Mapped[OutboxTopic]
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    """See `waypost.db.outbox`."""
    created_at: Mapped[datetime]


class WebhookEndpoint(Base, kw_only=True):
    """Where an account is told of its events. Control writes it, but for the last five columns, which webhooks does."""

    __tablename__ = "webhook_endpoints"
    # Messages name their endpoint by number: it must not be given out twice.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.number"), index=True)
    url: Mapped[str] = mapped_column(Text)
    """As `waypost.webhooks.target` writes it, without name and password."""
    sealed_credentials: Mapped[bytes | None] = mapped_column(default=None, repr=False)
    """`name:password` of HTTP's basic authentication; see `waypost.db.webhook_secrets`."""
    description: Mapped[str] = mapped_column(String(256), default="")
    events: Mapped[list[str]] = mapped_column(Json)
    """`waypost.events.notice.NoticeType` each."""
    format: Mapped[WebhookFormat] = mapped_column(default=WebhookFormat.WAYPOST)
    timing: Mapped[WebhookTiming] = mapped_column(default=WebhookTiming.IMMEDIATE)
    sealed_secret: Mapped[bytes] = mapped_column(repr=False)
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(default=None, repr=False)
    previous_secret_until: Mapped[datetime | None] = mapped_column(default=None)
    """Both secrets sign until then."""
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]
    owner_told_at: Mapped[datetime | None] = mapped_column(default=None)
    """When its owner was last written to that it is disabled."""
    state: Mapped[EndpointState] = mapped_column(default=EndpointState.ENABLED)
    """Control writes it too, when its owner enables or disables it."""
    disabled_reason: Mapped[str | None] = mapped_column(Text, default=None)
    """One sentence for its owner."""
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    """The first failure since the last success, or since nothing was left to be sent; None while it takes what it is
    given."""
    succeeded_at: Mapped[datetime | None] = mapped_column(default=None)
    """The last time, to the minute."""


class WebhookNotice(Base, kw_only=True):
    """That an endpoint is to be told of something: one row for each, whatever is killed when."""

    __tablename__ = "webhook_notices"
    __table_args__ = (
        # What makes it exactly one.
        Index("uq_webhook_notices_endpoint_message_id", "endpoint", "message_id", unique=True),
        # Only what is still to do, by endpoint: a long backlog of one costs the others nothing.
        Index(
            "ix_webhook_notices_due",
            "endpoint",
            "next_attempt_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_webhook_notices_occurred_at", "occurred_at"),
        Index("ix_webhook_notices_event_id", "event_id"),
        Index("ix_webhook_notices_send_id", "send_id"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    endpoint: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.number", ondelete="CASCADE"))
    message_id: Mapped[UUID]
    """The header `webhook-id`, the same at every attempt: of the event, or made of it and its new verdict."""
    type: Mapped[NoticeType]
    event_id: Mapped[UUID]
    """What is told is read from the event store when it is sent."""
    send_id: Mapped[UUID | None] = mapped_column(default=None)
    """None: a test, which is about no event."""
    occurred_at: Mapped[datetime]
    """Of the event. What is older than the setting `webhooks.keep_days` is neither kept nor noted again."""
    change: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """Of `click.reclassified`: `waypost.events.reclassified.Reclassified.told`."""
    state: Mapped[NoticeState] = mapped_column(default=NoticeState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    """Since it was noted, or replayed."""
    awaits_verdict: Mapped[bool] = mapped_column(default=False)
    """Held until the verdict is final, or until `next_attempt_at` without one."""
    next_attempt_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None] = mapped_column(default=None)
    """A worker holds it until then; past it, the worker is taken for dead."""
    created_at: Mapped[datetime]


class WebhookAttempt(Base, kw_only=True):
    """One try to deliver a notice, as its owner sees it; it goes when its notice goes."""

    __tablename__ = "webhook_attempts"

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    notice: Mapped[int] = mapped_column(ForeignKey("webhook_notices.number", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    outcome: Mapped[AttemptOutcome]
    status: Mapped[int | None]
    """Of the answer; None when there was none."""
    error: Mapped[str] = mapped_column(Text)
    """One sentence; empty when it went well."""
    answer: Mapped[str] = mapped_column(Text)
    """The first bytes of the answer's body, as text."""


class Erasure(Base, kw_only=True):
    """A recipient's address whose every trace goes. Control inserts it; from then on only the pipeline writes it."""

    __tablename__ = "erasures"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    account: Mapped[int | None] = mapped_column(ForeignKey("accounts.number"), index=True)
    """Whose mail to the address is meant; None: everybody's."""
    sealed_address: Mapped[bytes | None] = mapped_column(repr=False)
    """With `control.key`; None once it is erased."""
    state: Mapped[ErasureState] = mapped_column(default=ErasureState.REQUESTED)
    requested_by: Mapped[str] = mapped_column(String(ADDRESS_CHARACTERS))
    """`cli`, or an account's e-mail address."""
    requested_at: Mapped[datetime]
    erased_at: Mapped[datetime | None] = mapped_column(default=None)
    purged_at: Mapped[datetime | None] = mapped_column(default=None)
    counts: Mapped[dict[str, int]] = mapped_column(Json, default_factory=dict)
    """Rows that went or were made anonymous, by table, and what was done to segments that are set aside."""
    quarantined_segments: Mapped[int | None] = mapped_column(default=None)
    """Of this machine's spool, set aside, that could not be searched: nobody can say whose records are in them."""


class Tombstone(Base, kw_only=True):
    """An erased send: what comes of it later is stored anonymous. Without `control.key` it says nothing of which."""

    __tablename__ = "tombstones"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    digest: Mapped[bytes] = mapped_column(unique=True)
    """See `waypost.db.tombstones`."""


class RetentionRun(Base, kw_only=True):
    """What was let go on a day because its time had passed. Only the pipeline writes it."""

    __tablename__ = "retention_runs"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - the form SQLAlchemy asks for

    number: Mapped[int] = mapped_column(Number, primary_key=True, init=False)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    """None while it goes on."""
    counts: Mapped[dict[str, int]] = mapped_column(Json, default_factory=dict)
    """Rows that went or lost something, by what; what a crash had done twice is counted twice."""
    problem: Mapped[str] = mapped_column(Text, default="")
    """Why it was given up; empty when it was not."""
