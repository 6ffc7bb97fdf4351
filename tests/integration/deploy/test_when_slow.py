"""Clients that hold on without asking, of every front. The last file: their time passes during the others."""

import pytest


@pytest.mark.parametrize("front", ["caddy", "nginx", "haproxy"])
def test_slow_clients_are_let_go(slow_clients, front):
    slow_clients[front].wait_closed()
