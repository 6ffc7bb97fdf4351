-- Facts, never changed. A row is unique by (segment, record) when it came through a spool, else by event_id.
--
-- Order: everything asked of one send, or of a page of sends (their ids are UUIDv7, so a page lies together), is a
-- range of the primary key; ClickHouse orders a UUID by its second half, hence the number. An account's time range is
-- a few monthly partitions of its own rows, and the minmax index skips within them.
CREATE TABLE IF NOT EXISTS events
(
    event_id        UUID,
    event           LowCardinality(String),
    outcome         LowCardinality(String)  COMMENT 'answered, head, prefetch; empty for the states of a send',
    occurred_at     DateTime64(6, 'UTC')    COMMENT 'at the edge, or when the send reached the state',
    received_at     DateTime64(6, 'UTC')    COMMENT 'read by the collector',
    stored_at       DateTime64(6, 'UTC')    DEFAULT now64(6),
    account         UInt64,
    profile         UInt64,
    send_id         UUID                    COMMENT 'all zero in anonymous mode',
    link_index      UInt32,
    destination     String                  CODEC(ZSTD(1)),
    link_domain     LowCardinality(String),
    edge            LowCardinality(String),
    segment         String                  CODEC(ZSTD(1)),
    record          UInt32,
    client_address  String                  COMMENT 'after the IP policy of the token' CODEC(ZSTD(1)),
    user_agent      String                  CODEC(ZSTD(1)),
    headers         Map(LowCardinality(String), String) COMMENT 'the others that tell who reads' CODEC(ZSTD(1)),
    browser         LowCardinality(String)  COMMENT 'this and the next six: empty is unknown',
    browser_version LowCardinality(String),
    os              LowCardinality(String),
    os_version      LowCardinality(String),
    device          LowCardinality(String),
    device_type     LowCardinality(String),
    image_proxy     LowCardinality(String),
    unenriched      Array(LowCardinality(String)) COMMENT 'enrichment steps that failed',
    detail          String                  COMMENT 'what the relay said' CODEC(ZSTD(1)),
    INDEX occurred occurred_at TYPE minmax
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (account, toUInt128(send_id), occurred_at)
-- An insert that returned survives a power loss, and so does a merge before its sources are deleted.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Who a send went to, for as long as it has events. Inserting a send again replaces it by itself.
CREATE TABLE IF NOT EXISTS sends
(
    send_id                 UUID,
    send_key                String,
    account                 UInt64,
    profile                 UInt64,
    sending_profile_id      UUID,
    recipient_email_address String CODEC(ZSTD(1)),
    tags                    Array(LowCardinality(String)),
    link_indexes            Array(UInt32) COMMENT 'of the tracked links; the next two run parallel to it' CODEC(ZSTD(1)),
    link_names              Array(String) CODEC(ZSTD(1)),
    link_parts              Array(LowCardinality(String)),
    accepted_at             DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(accepted_at)
ORDER BY (account, toUInt128(send_id))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
