-- Who was behind a hit. Worked out from the hits of its send, provisionally when it is stored and finally some minutes
-- later, and again when the rules change (docs/adr/0015-verdicts-in-the-store.md). What was stored before this
-- migration is not final yet, and so is judged by and by.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS verdict         LowCardinality(String) COMMENT 'human, machine, unknown; empty for the states of a send, and for a hit that no rule has seen yet' AFTER unenriched,
    ADD COLUMN IF NOT EXISTS verdict_score   Int8 COMMENT 'from -100, a person, to 100, a machine' AFTER verdict,
    ADD COLUMN IF NOT EXISTS verdict_reasons Array(LowCardinality(String)) COMMENT 'the weightiest first' AFTER verdict_score,
    ADD COLUMN IF NOT EXISTS verdict_final   Bool DEFAULT outcome = '' COMMENT 'nothing that happens later changes it' AFTER verdict_reasons,
    ADD COLUMN IF NOT EXISTS verdict_rules   UInt16 COMMENT 'version of the rules; 0: none' AFTER verdict_final;

-- What lightweight updates find rows by.
ALTER TABLE events MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1;

-- Where the verdicts of one update are handed over: in memory, emptied before each.
CREATE TABLE IF NOT EXISTS verdicts_found
(
    event_id UUID,
    verdict  String,
    score    Int8,
    reasons  Array(String),
    rules    UInt16
)
ENGINE = Join(ANY, LEFT, event_id)
SETTINGS persistent = 0;
