"""Debian packages that tests need: found, or installed, or named in the failure. Never a reason to skip."""

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

# Besides PATH: what Debian keeps out of an ordinary user's, and the versioned home of PostgreSQL's server programs.
_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_POSTGRESQL = "lib/postgresql/*/bin"


def require(package: str, binary: str) -> Path:
    """The path of `binary`; `package` is installed first when it is missing and we are root."""
    found = _find(binary)
    if found is None and os.geteuid() == 0:
        _install(package)
        found = _find(binary)
    if found is None:
        pytest.fail(f"this test needs {binary}: sudo apt-get install {package}", pytrace=False)
    return found


def _find(binary: str) -> Path | None:
    versioned = sorted(Path("/usr").glob(_POSTGRESQL), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(binary, path=os.pathsep.join([*map(str, versioned), os.environ.get("PATH", ""), *_ALSO]))
    return Path(found) if found else None


def _install(package: str) -> None:
    # Two test runs at once would otherwise meet dpkg's own lock, and fail.
    with (Path(tempfile.gettempdir()) / "waypost-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _update()
        _apt_get("install", "--yes", "--no-install-recommends", package)


@functools.cache
def _update() -> None:
    _apt_get("update")


def _apt_get(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"apt-get {' '.join(arguments)} failed:\n{done.stderr.strip()}", pytrace=False)
