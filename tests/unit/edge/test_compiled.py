"""The modules that may be compiled are in one form, the one that was asked for: Python, or compiled (ADR 19)."""

import importlib
import os
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
HOOK = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]


@pytest.mark.parametrize("path", HOOK["modules"])
def test_a_module_is_in_the_form_that_is_tested(path):
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    compiled = Path(os.environ.get("PYTHONPATH", "")).name == "compiled"
    assert Path(module.__file__).suffix == (".so" if compiled else ".py")


def test_what_compiles_is_what_checks_the_types():
    """Another mypy would compile what this one has not looked at."""
    locked = (Path(__file__).parents[3] / "requirements.lock").read_text()
    [mypy] = [need for need in HOOK["dependencies"] if need.startswith("mypy==")]
    assert f"\n{mypy} " in locked
