"""Which clicks an embedded event store holds, and how often: `python -m torture.stored DATA`; 64-bit pairs."""

import sys
from array import array
from pathlib import Path

from torture.load import number_of
from waypost.store.connection import connect

connection = connect("", Path(sys.argv[1]))
rows = connection.reader.query("SELECT send_id, count() FROM events WHERE event = 'click' GROUP BY send_id").result_rows
sys.stdout.buffer.write(array("Q", (value for send, times in rows for value in (number_of(send), times))).tobytes())
connection.close()
