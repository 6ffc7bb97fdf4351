-- A merge costs several times what the insert of its rows did. Parts wait for more of their size before they are merged
-- (the default is 5), so a row is merged half as often; parts that stay alone for a while are merged all the same.
ALTER TABLE events MODIFY SETTING merge_selector_base = 10;
