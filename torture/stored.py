"""Which clicks an embedded event store holds: `python -m torture.stored DATA`.

Five 64-bit numbers each on stdout: the click, how often it is there, when it occurred in milliseconds since 1970, and
how often it has its final verdict and a place.
"""

import sys
from array import array
from pathlib import Path

from torture.load import number_of
from waypost.store.connection import connect

QUERY = """
SELECT send_id, count(), min(toUnixTimestamp64Milli(occurred_at)), countIf(verdict_final), countIf(country != '')
FROM events WHERE event = 'click' GROUP BY send_id
"""

connection = connect("", Path(sys.argv[1]))
rows = connection.reader.query(QUERY).result_rows
numbers = array("Q", (value for send, *values in rows for value in (number_of(send), *values)))
sys.stdout.buffer.write(numbers.tobytes())
connection.close()
