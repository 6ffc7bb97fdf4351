-- Whose events are being erased: in memory, so that no file names them, and emptied after each round.
CREATE TABLE IF NOT EXISTS erasing
(
    account UInt64,
    send_id UUID
)
ENGINE = Memory;
