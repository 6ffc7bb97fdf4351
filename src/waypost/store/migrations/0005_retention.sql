-- What was there and is not kept any more (docs/adr/0018-privacy.md): what was worked out from it can not be worked out
-- again, and stays as it is.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS cleared Array(LowCardinality(String)) COMMENT 'client_address, user_agent (with the other headers)';
