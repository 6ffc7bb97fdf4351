"""What is worked out again beside what lies beside the parts, in a store of its own: an enrichment after verdicts."""

import json
import subprocess
import sys

REWRITE = """
import json, sys, time
from pathlib import Path
from msgspec.structs import replace
from tests.unit.store.rows import LONDON, PERSON, hit, hit_row, send_id
from waypost.store import EventStore
from waypost.store.columns import location_values
from waypost.store.derived import LOCATION
from waypost.store.history import Choice
from waypost.store.verdicts import Judged
store = EventStore.open("", Path(sys.argv[1]))
click = hit(1, send_id())
store.insert_hits([hit_row(click, unenriched=("location",))])
verdict = replace(PERSON, score=-7, final=True)
store.verdicts.write([Judged(1, click.send_id, click.event_id, click.occurred_at, verdict)])
choice = Choice(LOCATION, None)
[month] = store.history.months(choice)
paris = location_values(replace(LONDON, country="FR", city="Paris"))
store.history.rewrite(choice, month.partition, [(click.client_address, *paris)])
while store.history.going_on() is not None:
    time.sleep(0.05)
[event] = store.send_events(1, click.send_id)
print(json.dumps([event.location.city, event.verdict == verdict]))
store.close()
"""


def test_events_that_are_enriched_again_keep_their_verdicts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", REWRITE, tmp_path / "data"], check=True, capture_output=True, text=True, timeout=240
    )
    assert json.loads(done.stdout) == ["Paris", True]
