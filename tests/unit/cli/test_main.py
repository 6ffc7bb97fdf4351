"""The command table: help without imports, and a plain sentence where an extra is missing."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from waypost import __version__
from waypost.cli.main import COMMANDS, main


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_and_the_exit_codes(option):
    result = run(option)
    assert result.exit_code == 0
    assert "Exit codes:\n    0  done" in result.output
    for name, mounted in COMMANDS.items():
        assert (f"  {name} " in result.output) is bool(mounted.summary)
        assert mounted.summary in result.output


def test_version_is_the_package_s():
    assert run("--version").output == f"waypost {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name}")


def test_an_unknown_command_is_wrong_usage():
    assert run("linsk").exit_code == 2


# What `pip install .` brings besides the standard library.
BARE = {"click", "cryptography", "cffi", "_cffi_backend", "msgspec", "waypost"}
IN_A_BARE_INSTALL = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {BARE!r} and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from waypost.cli.main import main
main(prog_name="waypost")
"""


def bare(*arguments):
    return subprocess.run(
        [sys.executable, "-c", IN_A_BARE_INSTALL, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", [name for name, mounted in COMMANDS.items() if mounted.extra is None])
def test_the_bare_install_has_its_commands(name):
    result = bare(name, "--help")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("name", "extra"), [(name, m.extra) for name, m in COMMANDS.items() if m.extra])
def test_a_command_that_needs_an_extra_says_which(name, extra):
    result = bare(name, "--help")
    assert result.returncode == 2
    assert f"pip install '.[{extra}]'" in result.stderr
    assert "Traceback" not in result.stderr
