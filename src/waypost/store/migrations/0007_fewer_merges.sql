-- A merge costs more than the insert of its rows did. Parts wait for more of their size before they are merged (the
-- default is 5), so that a row is merged less often; parts that stay alone for a while are merged all the same.
ALTER TABLE events MODIFY SETTING merge_selector_base = 10;
