"""The gates of reliability in their short form, each with real processes: `make torture` runs them in full."""

import importlib
import random

import pytest
from torture.__main__ import names
from torture.gate import Progress, Scale


@pytest.mark.parametrize("name", names())
def test_no_reader_and_no_click_is_lost(name, tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    result = importlib.import_module(f"torture.{name}").run(Scale.SHORT, Progress(tmp_path, print), random.Random(seed))
    assert result.failures == ()
    assert result.figures
