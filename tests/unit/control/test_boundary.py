import asyncio
from types import SimpleNamespace

from waypost.control.boundary import BodyLimit


def test_the_access_token_of_a_large_body_is_looked_at_once_however_many_pieces_it_comes_in():
    looks = []
    keys = SimpleNamespace(verify=lambda token: looks.append(token) or {"sub": "somebody"})
    control = SimpleNamespace(signing_keys=keys)
    scope = {
        "type": "http",
        "path": "/api/v1/email/send",
        "headers": [(b"authorization", b"Bearer token"), (b"content-length", b"1000000")],
        "app": SimpleNamespace(state=SimpleNamespace(control=control)),
    }
    pieces = [{"type": "http.request", "body": b"x" * 100_000, "more_body": left > 0} for left in reversed(range(10))]
    read = []

    async def app(_scope, receive, _send):
        while not read or read[-1]["more_body"]:
            read.append(await receive())

    async def receive():
        return pieces[len(read)]

    async def send(message):
        raise AssertionError(message)

    asyncio.run(BodyLimit(app)(scope, receive, send))
    assert (read, looks) == (pieces, ["token"])
