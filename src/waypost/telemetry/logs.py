"""Log lines: one format for every process, on standard error."""

import logging
import time
from typing import TextIO


def configure(process: str, stream: TextIO | None = None) -> None:
    """Send the log of this process to `stream` (default: standard error), each line naming the process.

    Args:
        process: "core", "edge-0", ...
        stream: where to write.
    """
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ {process} %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # It tells at every start which database it found.
    logging.getLogger("alembic").setLevel(logging.WARNING)
