"""`python -m waypost.control.openapi FILE` writes the OpenAPI document of the API; a test compares it."""

import json
import sys
from pathlib import Path

from waypost.control.app import routes


def document() -> str:
    """The OpenAPI 3.1 document as JSON text, the same for the same code."""
    return json.dumps(routes().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
