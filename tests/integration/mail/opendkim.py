"""A private OpenDKIM on loopback: a milter that says in Authentication-Results what it thinks of each signature."""

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

from tests.debian import require

# Keys are read from a file in DNS's stead. Loopback is no network of ours here: from such, mail is not verified.
_CONFIGURATION = """
Mode v
Background no
Socket inet:{port}@127.0.0.1
TestPublicKeys {home}/keys
InternalHosts 192.0.2.1
AuthservID verifier.test
AlwaysAddARHeader yes
"""


@contextlib.contextmanager
def opendkim(*, port, records):
    """Verify on `port`, with `records` (`control.profiles.dkim.DkimRecord`) for DNS."""
    program = require("opendkim", binary="opendkim")
    with tempfile.TemporaryDirectory(prefix="waypost-opendkim-") as folder:
        home = Path(folder)
        (home / "keys").write_text("".join(f"{record.name} {record.value}\n" for record in records))
        (home / "conf").write_text(_CONFIGURATION.format(port=port, home=home))
        process = subprocess.Popen([program, "-x", home / "conf"], stderr=subprocess.PIPE, text=True)
        try:
            _wait_until_it_listens(process, port)
            yield
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _wait_until_it_listens(process, port):
    """By the kernel's list: a connection would be a mail server's to it."""
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    deadline = time.monotonic() + 60
    while listening not in Path("/proc/net/tcp").read_text():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "opendkim does not listen"
        time.sleep(0.01)
