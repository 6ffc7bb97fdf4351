import io
import logging

import pytest

from waypost.telemetry import logs


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_line_has_its_time_in_utc_its_process_and_its_module():
    stream = io.StringIO()
    logs.configure("edge-0", stream)
    record = logging.LogRecord("waypost.edge", logging.WARNING, "f.py", 1, "disk %s", ("full",), None)
    record.created, record.msecs = 0.25, 250
    logging.getLogger().handle(record)
    assert stream.getvalue() == "1970-01-01T00:00:00.250Z edge-0 WARNING waypost.edge: disk full\n"
