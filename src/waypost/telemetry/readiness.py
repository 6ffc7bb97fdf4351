"""Tell whoever started this process that it serves, in the words of sd_notify(3): `waypost up` and systemd listen."""

import socket
from collections.abc import Mapping

VARIABLE = "NOTIFY_SOCKET"
READY = b"READY=1"


def announce_ready(environ: Mapping[str, str]) -> None:
    """Say that this process serves. Does nothing where nobody listens.

    Args:
        environ: has NOTIFY_SOCKET, the path of a datagram socket, or an abstract name after "@".
    """
    address = environ.get(VARIABLE, "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            sender.send(READY)
        except OSError:
            # Whoever wanted to know is gone; serving matters more.
            return
