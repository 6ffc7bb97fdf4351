"""A private Postfix on loopback, which hands everything on to another relay."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.debian import require

_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = relay.test
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
relayhost = [127.0.0.1]:{next_port}
smtpd_tls_security_level = may
smtpd_tls_chain_files = {home}/relay.pem
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ nobody@example.net = 550 5.1.1 nobody here }} }}, permit_mynetworks, reject
"""
_MILTER = """
smtpd_milters = inet:127.0.0.1:{milter_port}
milter_default_action = tempfail
"""
# chroot off everywhere: the queue directory holds no copies of /etc.
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def postfix(*, port: int, next_port: int, pem: Path, milter_port: int | None = None):
    """Serve on `port`, with STARTTLS by the key and certificate in `pem`, and relay to `next_port`.

    A milter on `milter_port` sees every message first.
    """
    program = require("postfix", binary="postfix")
    if os.geteuid() != 0:
        pytest.fail("this test starts a Postfix of its own, which only root can", pytrace=False)
    home = Path(tempfile.mkdtemp(prefix="waypost-postfix-", dir="/tmp"))
    home.chmod(0o755)
    (home / "queue").mkdir()
    (home / "data").mkdir()
    shutil.chown(home / "data", "postfix")
    shutil.copy(pem, home / "relay.pem")
    milter = _MILTER.format(milter_port=milter_port) if milter_port else ""
    (home / "main.cf").write_text(_MAIN.format(home=home, next_port=next_port) + milter)
    (home / "master.cf").write_text(_MASTER.format(port=port))
    try:
        _run(program, home, "start")
        try:
            yield
        finally:
            _run(program, home, "stop")
    finally:
        shutil.rmtree(home)


def _run(program: Path, home: Path, verb: str) -> None:
    done = subprocess.run([program, "-c", home, verb], capture_output=True, text=True, check=False)
    log = home / "log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
