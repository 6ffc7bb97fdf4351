"""Whether a port can be had, asked before a server starts: servers' own errors come late, or are pages of frames."""

import socket


def check_free(host: str, port: int, *, shared: bool = False) -> None:
    """Return when nobody listens there; with `shared`, nobody who does not share it.

    Raises:
        OSError: somebody does, or the host is not this machine's; its text names the address.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: connections of the last run may still be closing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # No listen(): somebody waiting for the server would be answered, with a reset.
        try:
            probe.bind(address)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}: {host}:{port}") from error
