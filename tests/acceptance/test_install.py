"""The package installed into an empty environment, as somebody would who never saw this repository."""

import http.client
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo.product import Product
from tests.acceptance.operator import Installation, eventually
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]


def installed(directory, requirement):
    """The `waypost` command of a new environment in which `requirement`, and what it asks for, is installed.

    The versions are those of the lock file, so that the test does not change by itself from day to day.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert uv, "uv is missing: make setup installs it"
    python = directory / "bin" / "python"
    pinned = ("--constraint", str(ROOT / "requirements.lock"))
    for command in (
        (uv, "venv", "--quiet", "--python", sys.executable, str(directory)),
        (uv, "pip", "install", "--quiet", "--python", str(python), *pinned, requirement),
    ):
        subprocess.run(command, cwd=ROOT, check=True)
    return str(directory / "bin" / "waypost")


def test_with_the_server_extra_everything_runs_from_any_directory(tmp_path, sink, monkeypatch):
    waypost = installed(tmp_path / "environment", ".[server]")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    product = Product(tmp_path, sink.port, waypost=[waypost], ports=free_ports(3))
    try:
        product.start()
        _, links = Installation(product, sink).send("installed@inbox.example", '<a href="https://shop.example/">x</a>')
        assert len(links) == 1
    finally:
        product.stop()
    assert list(elsewhere.iterdir()) == []


def test_with_the_edge_extra_an_edge_serves_what_the_command_line_sealed(tmp_path):
    waypost = installed(tmp_path / "environment", ".[edge]")
    message = tmp_path / "message.html"
    message.write_text('<a href="https://www.shop.example/orders/7">Order</a>')
    rewrite = ("links", "rewrite", str(message), "--link-domain", "links.example.com")
    options = ("--data", str(tmp_path / "data"))
    subprocess.run([waypost, "keys", "create", *options], check=True)
    html = subprocess.run([waypost, *rewrite, *options], check=True, capture_output=True, text=True).stdout
    path = re.search(r'https://links\.example\.com(/c/[^"]+)', html)[1]
    port, internal_port = free_ports(2)
    listen = {
        "WAYPOST_EDGE__LISTEN": f"127.0.0.1:{port}",
        "WAYPOST_EDGE__INTERNAL_LISTEN": f"127.0.0.1:{internal_port}",
    }
    with subprocess.Popen([waypost, "edge", *options], env=os.environ | listen, stderr=subprocess.DEVNULL) as edge:
        try:
            eventually(lambda: location(port, path) == "https://www.shop.example/orders/7")
        finally:
            edge.terminate()
    assert edge.returncode == 0


def location(port, path):
    """Where a click leads; None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": "links.example.com"})
        return connection.getresponse().getheader("Location")
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """`pip install .`"""
    return installed(tmp_path_factory.mktemp("bare") / "environment", ".")


def test_the_bare_package_rewrites_links(bare, tmp_path):
    keys = subprocess.run([bare, "keys", "create", "--data", "data"], cwd=tmp_path, check=True, capture_output=True)
    assert b"keyring.json" in keys.stdout
    message = ROOT / "examples" / "messages" / "receipt.html"
    result = subprocess.run(
        [bare, "links", "rewrite", str(message), "--link-domain", "links.example.com", "--data", "data"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.count('href="https://links.example.com/c/') == 6


def test_the_bare_package_says_what_is_missing_for_the_rest(bare, tmp_path):
    result = subprocess.run([bare, "up"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "pip install '.[server]'" in result.stderr
    assert list(tmp_path.iterdir()) == []
