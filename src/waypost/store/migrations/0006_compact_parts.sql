-- A batch of the collector is one file instead of two for each column: fewer to create and to sync. What merges make of
-- several batches has a file for each column, as before.
ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 33554432;
