"""Through a real Postfix, over STARTTLS, to what stands behind it."""

import asyncio
from email import message_from_bytes, policy

import pytest
from tests.integration.mail.postfix import postfix
from tests.integration.mail.scripted_relay import serving

from waypost.config import StartTls

HTML = (
    "<p>CRLF\r\nlone LF\nlone CR\rNUL\0 spaces at the end   \n\t\n.\n..\nFrom here\nFrom there \U0001f98a\u00e9"
    + "a line too long for SMTP " * 100
    + "\n<a href='https://example.net/'>no final newline</a>"
)


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # Postfix does not see the difference
def test_what_postfix_delivers_is_what_was_rendered_and_what_it_refuses_bounces(
    install, relay, certificate, unused_tcp_port
):
    send_id = install.accept(html=HTML, text=HTML, subject="\u4f60\u597d " * 30, recipient_name="Zo\u00eb, R")
    refused = install.accept("nobody@example.net")

    async def story():
        stop = asyncio.Event()
        async with serving(relay), asyncio.TaskGroup() as tasks:
            with postfix(port=unused_tcp_port, next_port=relay.port, pem=certificate.pem):
                mail = {"relay_port": unused_tcp_port, "starttls": StartTls.REQUIRED}
                tasks.create_task(install.process(stop, trust=certificate.trusting, **mail))
                await install.idle()
                await relay.has_taken(1)
                stop.set()

    asyncio.run(asyncio.wait_for(story(), 120))
    ((_, recipient, raw),) = relay.messages
    message = message_from_bytes(raw, policy=policy.default)
    assert recipient == "reader@example.net"
    assert "with ESMTPS" in message["Received"], "RFC 3848: over TLS"
    assert message["Message-ID"] == f"<{send_id.hex}@example.com>"
    assert message["Subject"] == ("\u4f60\u597d " * 30)
    assert message["To"].addresses[0].display_name == "Zo\u00eb, R"
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == [HTML.encode()] * 2
    assert install.events(send_id)[-1][1].startswith("250 2.0.0 Ok: queued as")
    (_, (name, detail)) = install.events(refused)
    assert name == "bounce"
    assert detail.startswith("550 5.1.1 ")
    assert "nobody here" in detail
