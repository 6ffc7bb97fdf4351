"""Every setting as a frozen field, with its range. What each means stands in defaults.toml.

The ranges stand here and nowhere else; the unit is what an error message calls the number.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from waypost.config.values import Address, HostPort, Network, Resolver, Secret, SecretUrl


class Durability(StrEnum):
    """When a click may be answered."""

    GROUP = "group"
    PROCESS = "process"


class ForwardedHeader(StrEnum):
    """Which header a trusted proxy writes the client's address into."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"


class StartTls(StrEnum):
    """How much TLS the relay must offer."""

    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    NEVER = "never"


def _range(low: float, high: float, unit: str) -> Meta:
    return Meta(ge=low, le=high, extra={"unit": unit})


# RFC 1035, section 2.3.1, with the underscores that DNS allows; lower case, as tokens are bound to it.
DomainName = Annotated[
    str, Meta(pattern=r"^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$", extra={"unit": "a domain name in lower case"})
]

OptionalDomainName = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?)?$", extra={"unit": "empty, or a domain name in lower case"}
    ),
]


class LinksSettings(Struct, frozen=True):
    """Tracked links."""

    development_domains: tuple[DomainName, ...]


class DnsSettings(Struct, frozen=True):
    """What this install is called in DNS, and how that is checked."""

    edge_host: OptionalDomainName
    edge_addresses: tuple[Address, ...]
    bounce_host: OptionalDomainName
    resolvers: tuple[Resolver, ...]
    ask_name_servers: bool
    tls_managed_elsewhere: bool
    https_port: Annotated[int, Meta(ge=1, le=65_535)]
    trusted_roots: str
    certificate_authority: OptionalDomainName


class EdgeSettings(Struct, frozen=True):
    """The redirect server."""

    # Stands in every event and in the names of spool directories, so that several machines' are told apart.
    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
            extra={"unit": "at most 32 lower-case letters, digits and hyphens"},
        ),
    ]
    listen: HostPort
    workers: Annotated[int, _range(1, 64, "processes")]
    internal_listen: HostPort
    trusted_proxies: tuple[Network, ...]
    forwarded_header: ForwardedHeader
    link_domains: tuple[DomainName, ...]
    control_url: Annotated[
        str, Meta(pattern=r"^(https?://[^\s/?#@]+)?$", extra={"unit": "empty, or https://host without a path"})
    ]
    credential: Secret


class SpoolSettings(Struct, frozen=True):
    """Where clicks wait for the pipeline."""

    durability: Durability
    # Above a second a reader gives up before the disk does.
    sync_wait_seconds: Annotated[float, _range(0.001, 1, "seconds")]
    # One segment travels to a collector in one request.
    segment_bytes: Annotated[int, _range(65_536, 67_108_864, "bytes")]
    segment_seconds: Annotated[float, _range(0.05, 60, "seconds")]
    max_bytes: Annotated[int, _range(0, 1 << 50, "bytes")]
    # At most a day: a segment holds personal data that may have been asked to be erased.
    keep_seconds: Annotated[int, _range(0, 86_400, "seconds")]
    quarantine_days: Annotated[int, _range(0, 3650, "days")]


class ControlSettings(Struct, frozen=True):
    """The HTTP API."""

    listen: HostPort
    workers: Annotated[int, _range(0, 64, "processes")]
    access_token_seconds: Annotated[int, _range(60, 86_400, "seconds")]
    sign_up: bool
    content_days: Annotated[int, _range(1, 3650, "days")]
    notices_from: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?)?$",
            extra={"unit": "empty, or an e-mail address with its domain in lower case"},
        ),
    ]


class DbSettings(Struct, frozen=True):
    """The control database."""

    url: SecretUrl

    @property
    def is_postgresql(self) -> bool:
        """Whether it takes several processes that write a lot; SQLite has one writer at a time."""
        return self.url.reveal().startswith("postgresql")


class StoreSettings(Struct, frozen=True):
    """The event store."""

    url: SecretUrl


class PipelineSettings(Struct, frozen=True):
    """From the spool to the event store."""

    poll_seconds: Annotated[float, _range(0.01, 60, "seconds")]


class RetentionSettings(Struct, frozen=True):
    """How long what tells of readers is kept, of accounts that say nothing else."""

    event_days: Annotated[int, _range(0, 3650, "days")]
    address_days: Annotated[int, _range(0, 3650, "days")]
    user_agent_days: Annotated[int, _range(0, 3650, "days")]


class GeoipSettings(Struct, frozen=True):
    """Where readers are."""

    databases: tuple[Annotated[str, Meta(min_length=1, extra={"unit": "the path of a file"})], ...]
    sources: tuple[SecretUrl, ...]
    attribution: str
    stale_days: Annotated[int, _range(1, 3650, "days")]


class MailSettings(Struct, frozen=True):
    """Delivery to the relay."""

    relay_host: Annotated[str, Meta(min_length=1, extra={"unit": "a host name or address"})]
    relay_port: Annotated[int, Meta(ge=1, le=65_535)]
    starttls: StartTls
    username: str
    password: Secret
    hostname: str
    spf: Annotated[
        str, Meta(pattern=r"^(v=spf1 .*)?$", extra={"unit": "empty, or an SPF record that begins with v=spf1"})
    ]
    connections: Annotated[int, _range(1, 100, "connections")]
    # RFC 5321, section 4.5.4.1, asks for at least 4 to 5 days; a minute is for tests.
    give_up_seconds: Annotated[int, _range(60, 2_592_000, "seconds")]


class WebhooksSettings(Struct, frozen=True):
    """Telling accounts of their events."""

    private_networks: tuple[Network, ...]
    connections: Annotated[int, _range(1, 1000, "requests")]
    # Longer than the retries, and than spool.keep_seconds: a segment stored again must not be told of again.
    keep_days: Annotated[int, _range(4, 90, "days")]


class Settings(Struct, frozen=True):
    """Everything a process is told; made by `waypost.config.load`, passed down from the composition root."""

    data: Path
    links: LinksSettings
    dns: DnsSettings
    edge: EdgeSettings
    spool: SpoolSettings
    control: ControlSettings
    db: DbSettings
    store: StoreSettings
    pipeline: PipelineSettings
    retention: RetentionSettings
    geoip: GeoipSettings
    mail: MailSettings
    webhooks: WebhooksSettings
