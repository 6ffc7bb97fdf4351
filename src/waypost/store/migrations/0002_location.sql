-- Where a reader is. Like the client, it is worked out from what a row holds as a fact, and may be worked out again
-- (docs/adr/0014-where-readers-are.md). Before this migration nothing was known of a place, hence the defaults.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS country         LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2; this and the next seven: empty is unknown' AFTER image_proxy,
    ADD COLUMN IF NOT EXISTS region          LowCardinality(String) AFTER country,
    ADD COLUMN IF NOT EXISTS city            LowCardinality(String) AFTER region,
    ADD COLUMN IF NOT EXISTS latitude        Float32 DEFAULT nan COMMENT 'degrees; NaN is unknown' AFTER city,
    ADD COLUMN IF NOT EXISTS longitude       Float32 DEFAULT nan COMMENT 'degrees; NaN is unknown' AFTER latitude,
    ADD COLUMN IF NOT EXISTS time_zone       LowCardinality(String) AFTER longitude,
    ADD COLUMN IF NOT EXISTS asn             UInt32 COMMENT 'autonomous system; 0 is unknown' AFTER time_zone,
    ADD COLUMN IF NOT EXISTS as_organisation LowCardinality(String) AFTER asn;
