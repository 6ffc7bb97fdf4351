"""Everything the README tells a newcomer to type does what it says."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demo.product import Product, free_port
from demo.sink import Sink
from tests.acceptance.operator import eventually
from tests.debian import require

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shell(script, folder, **environment):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """Where a newcomer stands: beside the examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_the_python_example_prints_what_its_comments_say():
    (script,) = blocks("python")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, "README.md", "exec"), {})
    said = [line.removeprefix("# ") for line in script.splitlines() if line.startswith("# ")]
    assert printed.getvalue().splitlines() == said


def test_the_commands_around_links_work_without_a_server(folder):
    script = blocks("sh")[0]
    done = shell(script, folder)
    assert done.returncode == 0, done.stderr
    assert "skipped: placeholder" in done.stdout
    assert re.search(r"^opens +yes$", done.stdout, re.MULTILINE)


def test_the_tour_of_the_whole_product_ends_with_a_tracked_message(folder):
    require("curl", binary="curl")
    script = blocks("sh")[1]
    with Sink(free_port()) as sink:
        product = Product(folder, sink.port)
        try:
            product.start()
            # The newcomer's ports may be taken on this machine, so the installation has others and says so.
            ours = script.replace("http://127.0.0.1:8025", product.origin)
            assert ours != script
            done = shell(ours, folder, WAYPOST_DATA=str(product.data), WAYPOST_CONFIG=str(product.config))
            assert done.returncode == 0, done.stderr
            assert '"tracked":1' in done.stdout
            eventually(lambda: "reader@inbox.example" in sink.delivered, seconds=10)
            assert len(sink.delivered["reader@inbox.example"].links) == 1
        finally:
            product.stop()
