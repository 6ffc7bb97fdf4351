"""No two processes that run tests are given the same port, whether it is in use or not."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
GIVEN = "from tests.ports import free_ports; print(*free_ports(3), flush=True); input()"


def others():
    return subprocess.Popen(
        [sys.executable, "-c", GIVEN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_at_the_same_time_have_different_ports():
    ours = {*free_ports(3)}
    with others() as first, others() as second:
        theirs = [{int(port) for port in process.stdout.readline().split()} for process in (first, second)]
    assert len(ours.union(*theirs)) == 9


def test_a_port_is_given_again_but_not_while_somebody_listens_on_it():
    more_than_all = 600
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        assert port not in free_ports(more_than_all)
    assert port in free_ports(more_than_all)
