"""An edge worker whose disk is watched: `python -m torture.recorded_worker EVENTS edge-worker --worker 0 …`.

What happened is in the file EVENTS when it has ended. Nothing is really synced: what a sync means is for the reader.
"""

import pickle
import sys
from pathlib import Path

from torture.recording import RecordingCommit, RecordingFiles
from waypost.cli.main import main
from waypost.edge import process

events, *arguments = sys.argv[1:]
files = RecordingFiles(Path(arguments[arguments.index("--data") + 1]))
process.Files = lambda: files
process.GroupCommit = RecordingCommit
try:
    main(arguments)
finally:
    Path(events).write_bytes(pickle.dumps(files.events))
