"""Every example message, and one with all there is, signed, through a real Postfix and verified by OpenDKIM."""

import asyncio
import re
import smtplib
from email import message_from_bytes, policy

import pytest
from demo.messages import load
from sqlalchemy import select
from tests.integration.mail.opendkim import opendkim
from tests.integration.mail.postfix import postfix
from tests.integration.mail.scripted_relay import serving
from tests.ports import free_ports

from waypost.config import StartTls
from waypost.control.profiles.dkim import dkim_record
from waypost.db.tables import Content, ContentAttachment, DkimKey, Profile, Send

DOMAIN = "post.example"
GOOD = [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]
BAD = [("fail", "rsa-sha256"), ("fail", "ed25519-sha256")]
# Of the message with everything, before it goes through once more; the first changes nothing.
CHANGES = [
    (b"\r\nFrom: all@", b"\r\nFrom: all@"),
    (b"\r\nSubject: ", b"\r\nSubject: Fwd: "),
    (b"\r\nFrom: all@", b"\r\nReply-To: x@example.org\r\nFrom: all@"),
    (b"cid:logo", b"cid:lego"),
]


def accept_one_with_everything(install):
    leave = {"url": f"https://{DOMAIN}/leave", "mailto": f"mailto:leave@{DOMAIN}", "one_click": True}
    send_id = install.accept(
        html='<img src="cid:logo">  two  spaces\t\n',
        text="\r\n \t trailing \t \r\n\r\n",
        subject="  spaces   and  a\ttab ",
        from_email_address=f"all@{DOMAIN}",
        list_unsubscribe=leave,
        click_tracking=True,
    )
    with install.database.writing() as session:
        content_id = session.get_one(Send, send_id).content_id
        content = session.get_one(Content, content_id)
        content.addressees = {
            "to": [["Zoë, R", "zoe@example.net"]],
            "cc": [["", "a@example.net"], ["B", "b@example.net"]],
        }
        content.headers = {  # as an earlier release kept them
            "References": "<a@example.net> " * 20 + "<b@example.net>",
            "List-Id": "  Letters   <letters.post.example>",
            "X-Campaign": "Frühling",
        }
        for position, (name, inline_id) in enumerate([("logo.png", "logo"), ("Größe  7.pdf", None)]):
            data = bytes(range(256)) * 40
            file = ContentAttachment(position=position, name=name, content_type="a/b", inline_id=inline_id, data=data)
            file.content_id = content_id
            session.add(file)


def verdicts(raw):
    results = message_from_bytes(raw, policy=policy.default)["Authentication-Results"]
    assert results.startswith("verifier.test;")
    return re.findall(r"dkim=(\w+)[^;]*header\.d=post\.example[^;]*header\.a=([\w-]+)", results)


def deliver_again(port, raw):
    """As it arrived, less what the relays have put on top of it."""
    _, signature, rest = raw.partition(b"DKIM-Signature:")
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail(f"all@{DOMAIN}", "again@example.net", signature + rest)


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # neither of the two sees the difference
def test_an_independent_verifier_behind_postfix_accepts_both_signatures_of_every_message(install, relay, certificate):
    port, milter_port = free_ports(2)
    install.change(Profile, sending_domain=DOMAIN, bounce_domain=f"bounces.{DOMAIN}")
    with install.database.reading() as session:
        records = [dkim_record(DOMAIN, key) for key in session.scalars(select(DkimKey))]
    examples = load()
    for example in examples:
        body = dict(example.body)
        install.accept(body.pop("recipient_email_address"), body.pop("content_html"), body.pop("content_text"), **body)
    accept_one_with_everything(install)
    number = len(examples) + 1

    async def story():
        stop = asyncio.Event()
        async with serving(relay), asyncio.TaskGroup() as tasks:
            with (
                opendkim(port=milter_port, records=records),
                postfix(port=port, next_port=relay.port, pem=certificate.pem, milter_port=milter_port),
            ):
                mail = {"relay_port": port, "starttls": StartTls.NEVER}
                tasks.create_task(install.process(stop, **mail))
                await relay.has_taken(number)
                [raw] = [raw for _, _, raw in relay.messages if b"\r\nFrom: all@" in raw]
                for before, after in CHANGES:
                    assert raw.count(before) == 1
                    await asyncio.to_thread(deliver_again, port, raw.replace(before, after))
                await relay.has_taken(number + len(CHANGES))
                stop.set()

    asyncio.run(asyncio.wait_for(story(), 120))
    arrived = [(sender, verdicts(raw)) for sender, _, raw in relay.messages]
    assert [found for _, found in arrived[:number]] == [GOOD] * number
    assert all(re.fullmatch(r"bounce-[0-9a-f]{32}@bounces\.post\.example", sender) for sender, _ in arrived[:number])
    again = sorted(found for _, found in arrived[number:])
    assert again == [BAD, BAD, BAD, GOOD], "it does tell what was changed"
