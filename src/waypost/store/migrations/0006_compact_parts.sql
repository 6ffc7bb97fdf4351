-- A batch of the collector is one file instead of two for each column: fewer to create and to sync. What merges make of
-- batches is one file, too, under this size (in bytes, uncompressed), and from there on has a file for each column.
ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 33554432;
