"""Where the shared corpus and suites are: `make conformance SHARED=DIR`. Without them these tests fail."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = os.environ.get("SHARED", "")
    if not folder or not (Path(folder) / "suites").is_dir() or not (Path(folder) / "corpus").is_dir():
        pytest.fail("SHARED must name the folder that holds corpus/ and suites/: make conformance SHARED=DIR")
    return Path(folder)
