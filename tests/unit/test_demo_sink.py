"""The relay of the demo and of the acceptance tests takes any message, whatever parts it has."""

import pytest
from demo.sink import Delivered


@pytest.mark.parametrize(
    ("message", "html", "links"),
    [
        (b"Content-Type: text/plain\r\n\r\nHello\r\n", "", []),
        (
            b'Content-Type: text/html\r\n\r\n<a href="http://localhost:80/c/x_-">\r\n',
            '<a href="http://localhost:80/c/x_-">\r\n',
            ["http://localhost:80/c/x_-"],
        ),
    ],
    ids=("text alone", "HTML"),
)
def test_a_message_is_taken(message, html, links):
    delivered = Delivered(message)
    assert (delivered.html, delivered.links) == (html, links)
