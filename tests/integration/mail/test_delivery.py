"""The mail process, from a row in the queue to the relay and back into sends and outbox."""

import asyncio
import contextlib
import os
import re
from collections import Counter
from datetime import timedelta
from email import message_from_bytes, policy
from uuid import UUID

import pytest
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import make_transient
from tests.integration.mail.install import CONTROL_KEY, HTML, KEYRING, START
from tests.integration.mail.scripted_relay import serving
from tests.rsa_key import rsa_private_key

from waypost.control.profiles.dkim import add_dkim_keys, new_dkim_keys
from waypost.control.sources import Sources
from waypost.db.states import AccountState, DeliveryState, ProfileState, SendState
from waypost.db.tables import Account, Content, ContentAttachment, Delivery, DkimKey, Profile, Send
from waypost.links.token import open_token
from waypost.links.url import parse_url
from waypost.mail.queue import LEASE_SECONDS, Composed, Queue, Step
from waypost.mail.render import UNTRACKED
from waypost.mime import compose

DELIVERED = [("processed", ""), ("sent", "250 OK"), ("delivered", "250 OK")]


def test_an_accepted_message_arrives_as_rendered_and_its_story_is_told(install):
    send_id = install.accept(
        click_tracking=True, open_tracking=True, recipient_name="Zo\u00eb, R", reply_to="help@example.com"
    )
    install.work()
    ((sender, recipient, raw),) = install.relay.messages
    assert (sender, recipient) == ("shop@example.com", "reader@example.net")
    message = message_from_bytes(raw, policy=policy.default)
    assert message["To"].addresses[0].display_name == "Zo\u00eb, R"
    assert message["Reply-To"] == "help@example.com"
    assert message["Message-ID"] == f"<{send_id.hex}@example.com>"
    assert message["Date"].datetime == START
    text, html = (part.get_payload(decode=True).decode() for part in message.iter_parts())
    assert text == "t"
    url = html.split('href="')[1].split('"', maxsplit=1)[0]
    payload = open_token(parse_url(url).token, "links.example.com", KEYRING)
    assert (payload.destination, payload.send_id) == ("https://example.net/?a=1&b=2", send_id)
    before, after = html.split(url)
    pixel = after[after.index("<img") : after.index("</body>")]
    assert f"{before}https://example.net/?a=1&amp;b=2{after.replace(pixel, '')}" == HTML, "byte for byte"
    assert install.events(send_id) == DELIVERED
    assert (install.send(send_id).state, install.send(send_id).error) == (SendState.DELIVERED, None)
    assert install.delivery(send_id).state is DeliveryState.DELIVERED
    assert +install.counts == {"delivered": 1}


def test_what_a_message_has_besides_its_parts_arrives(install):
    leave = {"url": "https://example.com/leave", "mailto": "mailto:leave@example.com", "one_click": True}
    html = '<img src="cid:logo"><a href="https://example.com/leave">leave</a>'
    send_id = install.accept(html=html, click_tracking=True, list_unsubscribe=leave)
    with install.database.writing() as session:
        content_id = session.get_one(Send, send_id).content_id
        session.get_one(Content, content_id).headers = [
            ["X-Long", "1"],
            ["References", "<a@example.net>"],
            ["X-A", "2"],
        ]
        for position, (name, inline_id) in enumerate([("logo.png", "logo"), ("Zo\u00eb.pdf", None)]):
            file = ContentAttachment(
                position=position, name=name, content_type="a/b", inline_id=inline_id, data=b"\0" * (position + 1)
            )
            file.content_id = content_id
            session.add(file)
    install.work()
    message = message_from_bytes(install.relay.messages[0][2], policy=policy.default)
    assert message["List-Unsubscribe"] == "<https://example.com/leave>, <mailto:leave@example.com>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    further = [(name, value) for name, value in message.items() if name in {"X-Long", "References", "X-A"}]
    assert further == [("X-Long", "1"), ("References", "<a@example.net>"), ("X-A", "2")]
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_payload(decode=True) for part in parts] == [b"t", html.encode(), b"\0", b"\0\0"]
    assert (parts[2]["Content-ID"], parts[3].get_filename()) == ("<logo>", "Zo\u00eb.pdf")


def test_copies_name_the_recipient_and_cc_and_never_bcc_and_have_links_of_their_own(install):
    first = install.accept("ada@example.net", click_tracking=True, recipient_name="Ada")
    copies = [install.accept(f"{name}@example.net", click_tracking=True) for name in ("bob", "cy")]
    with install.database.writing() as session:
        content_id = session.get_one(Send, first).content_id
        session.get_one(Content, content_id).addressees = {
            "to": [["Ada", "ada@example.net"]],
            "cc": [["Zo\u00eb, R", "bob@example.net"]],
        }
        for copy in copies:
            session.get_one(Send, copy).content_id = content_id
    install.work()
    arrived = {
        recipient: message_from_bytes(raw, policy=policy.default) for _, recipient, raw in install.relay.messages
    }
    assert set(arrived) == {"ada@example.net", "bob@example.net", "cy@example.net"}
    for message in arrived.values():
        assert message.get_all("To") == ["Ada <ada@example.net>"]
        assert message.get_all("Cc") == ['"Zo\u00eb, R" <bob@example.net>']
        assert message["Bcc"] is None
        assert "cy@" not in message.as_string()
        assert all(":cc:" in signature for signature in message.get_all("DKIM-Signature")), "and signed"
    links = [re.search('href="([^"]*)"', message.get_body().get_content())[1] for message in arrived.values()]
    opened = {open_token(parse_url(url).token, "links.example.com", KEYRING).send_id for url in links}
    assert opened == {first, *copies}


def test_a_copy_whose_recipient_was_erased_is_to_who_gets_it(install):
    copy = install.accept("bob@example.net")
    with install.database.writing() as session:
        content = session.get_one(Content, session.get_one(Send, copy).content_id)
        content.addressees = {"to": [], "cc": [["", "bob@example.net"], ["", "cy@example.net"]]}
    install.work()
    [(_, _, raw)] = install.relay.messages
    message = message_from_bytes(raw, policy=policy.default)
    assert (message.get_all("To"), message.get_all("Cc")) == (["bob@example.net"], ["bob@example.net, cy@example.net"])


def test_bounces_go_to_an_address_that_names_the_send_on_the_bounce_domain(install):
    """Without a bounce domain they go to the author: the first test here."""
    install.change(Profile, bounce_domain="bounces.example.com")
    send_id = install.accept()
    install.work()
    assert install.relay.messages[0][0] == f"bounce-{send_id.hex}@bounces.example.com"


def test_every_attempt_is_signed_the_same_with_both_keys_and_at_the_time_of_the_send(install):
    install.accept()
    install.relay.answers["DATA", "reader@example.net"] = ["451 try later"]
    install.work(lambda: install.clock.pass_seconds(15))
    message = message_from_bytes(install.relay.messages[0][2], policy=policy.default)
    assert [re.search("a=([^;]*);", signature)[1] for signature in message.get_all("DKIM-Signature")] == [
        "rsa-sha256",
        "ed25519-sha256",
    ]
    assert all(f"t={int(START.timestamp())};" in signature for signature in message.get_all("DKIM-Signature"))


@pytest.mark.parametrize(
    ("seen_at", "algorithms"), [(None, ["rsa-sha256"]), (START, ["rsa-sha256", "ed25519-sha256"])], ids=["not", "seen"]
)
def test_the_ed25519_key_signs_only_while_its_record_is_seen(install, seen_at, algorithms):
    install.change(DkimKey, seen_at=seen_at)
    install.accept()
    install.work()
    message = message_from_bytes(install.relay.messages[0][2], policy=policy.default)
    assert [re.search("a=([^;]*);", each)[1] for each in message.get_all("DKIM-Signature")] == algorithms


def test_mail_of_a_profile_without_keys_is_held_and_never_sent_unsigned(install):
    send_id = install.accept()
    with install.database.writing() as session:
        keys = session.scalars(select(DkimKey)).all()
        session.execute(delete(DkimKey))
    install.work()
    delivery = install.delivery(send_id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.QUEUED, 0)
    assert delivery.last_error == (
        "held: the sending profile has no DKIM keys; the core makes them when it starts: restart it"
    )
    assert install.relay.connections == 0
    with install.database.writing() as session:
        for key in keys:
            make_transient(key)
        session.add_all(keys)
    install.work(lambda: install.clock.pass_seconds(90))
    assert install.events(send_id) == DELIVERED


def test_a_permanent_refusal_bounces_at_once_with_the_relay_s_words(install):
    send_id = install.accept()
    install.relay.answers["RCPT", "reader@example.net"] = ["550 5.1.1 no such user"]
    install.work(lambda: install.clock.pass_seconds(86_400))
    assert install.relay.messages == []
    assert install.events(send_id) == [("processed", ""), ("bounce", "550 5.1.1 no such user")]
    assert (install.send(send_id).state, install.send(send_id).error) == (SendState.BOUNCE, "550 5.1.1 no such user")
    assert install.delivery(send_id).state is DeliveryState.FAILED


@pytest.mark.parametrize(
    ("verb", "answer", "reason"),
    [
        ("RCPT", "450 4.2.0 greylisted", "450 4.2.0 greylisted"),
        ("DATA", "451 try later", "451 try later"),
        ("DATA", "cut the connection", "Unexpected EOF received"),
        ("DATA", "answer nothing", "Timed out waiting for server response"),
    ],
)
def test_a_passing_failure_is_tried_again_on_schedule_with_the_same_bytes(install, verb, answer, reason):
    send_id = install.accept(click_tracking=True)
    other = install.accept("other@example.net")
    install.relay.answers[verb, "reader@example.net"] = [answer, "450 again"] if verb == "RCPT" else [answer]
    install.work()
    assert install.relay.recipients() == ["other@example.net"], "one message's trouble is not another's"
    delivery = install.delivery(send_id)
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.QUEUED, 1, reason)
    assert delivery.next_attempt_at == START + timedelta(seconds=15)
    assert install.send(send_id).state is SendState.PROCESSED
    install.work(lambda: install.clock.pass_seconds(14))
    assert install.delivery(send_id).attempts == 1
    install.work(lambda: install.clock.pass_seconds(1), lambda: install.clock.pass_seconds(60))
    assert install.relay.recipients() == ["other@example.net", "reader@example.net"]
    assert install.events(send_id) == DELIVERED, "processed once, whatever the number of attempts"
    assert install.events(other) == DELIVERED


def test_a_message_refused_for_now_for_ever_bounces_at_the_end_of_the_period(install):
    send_id = install.accept()
    install.relay.answers["RCPT", "reader@example.net"] = ["450 not now"] * 50
    day = lambda: install.clock.pass_seconds(86_400)  # noqa: E731
    install.work(*[day] * 6)
    assert install.delivery(send_id).attempts == 6
    reason = "gave up after 432000 seconds: 450 not now"
    assert install.events(send_id) == [("processed", ""), ("bounce", reason)]
    assert install.send(send_id).error == reason


def break_composing(_install, monkeypatch):
    def broken(message):
        return compose(message) if message.to[0].address == "other@example.net" else 1 / 0

    monkeypatch.setattr("waypost.mail.deliver.compose", broken)


def damage_content(install, _monkeypatch):
    with install.database.writing() as session:
        session.execute(text("UPDATE contents SET text = :nothing WHERE content_id = 1"), {"nothing": b"damaged"})


@pytest.mark.parametrize("fault", [break_composing, damage_content])
def test_a_message_that_meets_a_bug_is_tried_on_schedule_and_bounces_in_the_end(install, monkeypatch, fault):
    send_id, other = install.accept(), install.accept("other@example.net")
    fault(install, monkeypatch)
    install.work()
    delivery = install.delivery(send_id)
    reason = f"something went wrong here; the log tells what of delivery {delivery.delivery_id}"
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.QUEUED, 1, reason)
    assert delivery.next_attempt_at == START + timedelta(seconds=15)
    assert install.events(other) == DELIVERED
    install.work(*[lambda: install.clock.pass_seconds(86_400)] * 6)
    assert install.events(send_id) == [("bounce", f"gave up after 432000 seconds: {reason}")]
    assert install.relay.recipients() == ["other@example.net"]


def test_while_the_relay_is_down_messages_wait_and_go_out_soon_after_it_is_back(install, caplog):
    send_ids = [install.accept(f"{n}@example.net") for n in range(30)]

    async def without_relay():
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(install.process(stop))
            await install.until(lambda: "cannot be used" in caplog.text)
            await asyncio.sleep(0.5)
            stop.set()

    asyncio.run(without_relay())
    tried = [send_id for send_id in send_ids if install.delivery(send_id).last_error]
    assert 0 < len(tried) <= 4, "the backlog is not turned over for nothing"
    assert not any(install.delivery(send_id).attempts for send_id in tried), "it says nothing about a message"
    assert caplog.text.count("cannot be used") == 1, "it is told, once"
    assert all(install.delivery(send_id).next_attempt_at == START + timedelta(seconds=30) for send_id in tried)
    install.work(lambda: install.clock.pass_seconds(30))
    assert sorted(install.relay.recipients()) == sorted(f"{n}@example.net" for n in range(30))


@pytest.mark.parametrize(
    ("table", "bad", "good", "reason"),
    [
        (
            Account,
            {"state": AccountState.SUSPENDED},
            {"state": AccountState.APPROVED},
            "held: the account is suspended",
        ),
        (Account, {"state": AccountState.PENDING}, {"state": AccountState.APPROVED}, "held: the account is pending"),
        (
            Profile,
            {"state": ProfileState.PENDING},
            {"state": ProfileState.ACTIVE},
            "held: the sending profile is pending",
        ),
    ],
)
def test_mail_that_may_not_be_sent_is_held_not_lost(install, table, bad, good, reason):
    """Invariant 9: nothing is sent or encoded for an account not approved or a profile not active."""
    send_id = install.accept()
    install.change(table, **bad)
    install.work(*[lambda: install.clock.pass_seconds(6 * 86_400)] * 2)
    delivery = install.delivery(send_id)
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.QUEUED, 0, reason)
    assert install.relay.connections == 0
    assert install.events(send_id) == []
    install.change(table, **good)
    install.relay.answers["RCPT", "reader@example.net"] = ["450 not now"]
    install.work(lambda: install.clock.pass_seconds(1080), lambda: install.clock.pass_seconds(15))
    assert install.events(send_id) == DELIVERED, "time on hold does not count towards giving up"


def test_approval_is_checked_again_before_a_retry(install):
    send_id = install.accept()
    install.relay.answers["RCPT", "reader@example.net"] = ["450 not now"]
    install.work(lambda: install.change(Account, state=AccountState.SUSPENDED), lambda: install.clock.pass_seconds(60))
    assert install.relay.messages == []
    assert install.delivery(send_id).last_error == "held: the account is suspended"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"recipient": "j\u00f6rg@example.net"},
            "recipient_email_address has a local part that is not ASCII, which needs SMTPUTF8; it is not supported",
        ),
        ({"reply_to": "nobody"}, "reply_to is not an address that mail can be sent with"),
        ({"content_id": None}, "the content is no longer kept"),
        (
            {"subject": "a\r\nBcc: x@y"},
            "the message cannot be composed: Subject holds the forbidden character U+000D at offset 1",
        ),
    ],
)
def test_what_can_never_be_sent_bounces_with_a_sentence(install, changes, reason):
    send_id = install.accept(**changes)
    install.work()
    assert install.events(send_id) == [("bounce", reason)]
    assert install.send(send_id).error == reason
    assert install.relay.messages == []


ENDS = pytest.mark.parametrize(
    ("table", "values", "reason"),
    [
        (Profile, {"deleted_at": START, "state": ProfileState.DISABLED}, "the sending profile is deleted"),
        (
            Profile,
            {"state": ProfileState.DISABLED},
            "the sending profile is disabled: its records were missing for too long",
        ),
        (
            Account,
            {"state": AccountState.REJECTED, "rejected_reason": "it sent spam"},
            "the account is rejected (it sent spam)",
        ),
    ],
    ids=["deleted", "disabled", "rejected"],
)


@ENDS
def test_mail_that_can_never_be_sent_is_rejected_and_says_why(install, table, values, reason):
    send_id = install.accept()
    install.change(table, **values)
    install.work()
    assert install.events(send_id) == [("rejected", reason)]
    assert (install.send(send_id).state, install.send(send_id).error) == (SendState.REJECTED, reason)
    assert install.delivery(send_id).state is DeliveryState.FAILED
    assert install.relay.connections == 0
    assert +install.counts == {"rejected": 1}


@ENDS
def test_mail_that_waits_ends_at_once_when_it_can_be_sent_no_more(install, monkeypatch, table, values, reason):
    """Held, or to be tried again in hours: the clock stands still here. Others' mail goes on waiting."""
    monkeypatch.setattr("waypost.mail.process._ENDS_SECONDS", 0.05)
    monkeypatch.setattr("waypost.mail.queue._HASTENED_AT_ONCE", 2)
    refused = [install.accept(f"{n}@example.net") for n in range(5)]
    other = install.accept("other@example.net", **another_profile(install))
    for name in ("0", "1", "2", "3", "4", "other"):
        install.relay.answers["RCPT", f"{name}@example.net"] = ["450 not now"]

    async def story():
        stop = asyncio.Event()
        async with serving(install.relay), asyncio.TaskGroup() as tasks:
            tasks.create_task(install.process(stop))
            await install.idle()
            assert {install.delivery(send_id).last_error for send_id in [*refused, other]} == {"450 not now"}
            with install.database.writing() as session:
                session.execute(update(table).where(table.number == 1).values(**values))
            await install.until(lambda: all(install.send(each).state is SendState.REJECTED for each in refused))
            stop.set()

    asyncio.run(asyncio.wait_for(story(), 120))
    assert all(install.events(send_id) == [("processed", ""), ("rejected", reason)] for send_id in refused)
    assert install.delivery(other).state is DeliveryState.QUEUED
    assert install.delivery(other).next_attempt_at > install.clock()


def another_profile(install):
    """Of an account of its own."""
    with install.database.writing() as session:
        account = session.get_one(Account, 1)
        session.add(
            Account(
                public_id=UUID(int=11),
                name="Other",
                email="other@example.com",
                state=AccountState.APPROVED,
                created_at=account.created_at,
                modified_at=account.created_at,
            )
        )
        session.flush()
        session.add(
            Profile(
                public_id=UUID(int=12),
                account=2,
                profile_name="other",
                sending_domain="example.com",
                link_domain="links.example.com",
                state=ProfileState.ACTIVE,
                created_at=account.created_at,
                modified_at=account.created_at,
            )
        )
        session.flush()
        keys = new_dkim_keys(Sources(install.clock, os.urandom, rsa_private_key), CONTROL_KEY)
        add_dkim_keys(session, 2, keys)
    return {"account": 2, "profile": 2}


def test_an_international_domain_is_sent_to_by_its_a_label(install):
    install.accept("reader@b\u00fccher.example")
    install.work()
    assert install.relay.recipients() == ["reader@xn--bcher-kva.example"]


def test_a_rewriting_failure_is_told_counted_and_loses_nothing(install):
    install.change(Profile, link_domain="NOT A HOST")
    send_id = install.accept(click_tracking=True)
    install.work()
    (_, html) = message_from_bytes(install.relay.messages[0][2], policy=policy.default).iter_parts()
    assert html.get_payload(decode=True).decode() == HTML
    assert install.events(send_id) == DELIVERED
    assert (install.send(send_id).state, install.send(send_id).error) == (SendState.DELIVERED, UNTRACKED)
    assert install.counts == {"delivered": 1, "untracked": 1}


def test_what_could_not_be_planned_when_it_was_accepted_is_counted_too(install):
    """Control has told the sender, and turned tracking off."""
    send_id = install.accept(error="the links could not be rewritten")
    install.work()
    assert install.send(send_id).error == "the links could not be rewritten"
    assert install.counts == {"delivered": 1, "untracked": 1}


def test_a_failure_in_rewriting_that_a_later_attempt_does_not_meet_is_told_and_counted_no_more(install):
    install.change(Profile, link_domain="NOT A HOST")
    send_id = install.accept(click_tracking=True)
    install.relay.answers["DATA", "reader@example.net"] = ["451 try later"]

    def mend():
        assert install.send(send_id).error == UNTRACKED
        install.change(Profile, link_domain="links.example.com")
        install.clock.pass_seconds(15)

    install.work(mend)
    assert install.send(send_id).error is None
    assert +install.counts == {"postponed": 1, "delivered": 1}


def test_a_worker_that_died_loses_its_message_to_another_when_its_lease_ends(install):
    send_id = install.accept()
    dead = Queue(install.database, lambda _now: UUID(int=9))
    (claim,) = dead.claim(START, 10)
    install.clock.pass_seconds(LEASE_SECONDS - 1)
    dead.renew([claim], install.clock())
    install.clock.pass_seconds(LEASE_SECONDS - 1)
    assert Queue(install.database, lambda _now: UUID(int=8)).claim(install.clock(), 10) == []
    install.clock.pass_seconds(1)
    install.work()
    assert install.events(send_id) == DELIVERED
    assert install.delivery(send_id).attempts == 2


def test_what_is_under_way_while_the_machine_stands_still_is_not_sent_a_second_time_beside_itself(install):
    send_id = install.accept()
    install.relay.answers["DATA", "reader@example.net"] = [install.relay.WAIT]

    async def story():
        stop = asyncio.Event()
        async with serving(install.relay), asyncio.TaskGroup() as tasks:
            tasks.create_task(install.process(stop))
            await install.relay.hangs.wait()
            install.clock.pass_seconds(LEASE_SECONDS)
            later = install.accept("later@example.net")
            await install.until(lambda: install.delivery(later).state is DeliveryState.DELIVERED)
            install.relay.goes_on.set()
            await install.idle()
            stop.set()

    asyncio.run(asyncio.wait_for(story(), 120))
    assert sorted(install.relay.recipients()) == ["later@example.net", "reader@example.net"]
    assert install.events(send_id) == DELIVERED


def test_what_a_late_worker_says_does_not_undo_what_another_did(install):
    send_id = install.accept()
    late = Queue(install.database, lambda _now: UUID(int=9))
    (claim,) = late.claim(START, 10)
    install.clock.pass_seconds(LEASE_SECONDS)
    install.work()
    composed = Composed(START, None)
    late.postponed(claim, composed, START, "late", counted=True)
    late.held(claim, START, "late")
    late.failed(claim, composed, Step(SendState.BOUNCE, START, "late"))
    late.delivered(claim, composed, START, "250 late")
    assert install.delivery(send_id).state is DeliveryState.DELIVERED
    assert install.events(send_id) == DELIVERED


def test_several_processes_over_one_queue_send_each_message_once(install):
    send_ids = [install.accept(f"{n}@example.net") for n in range(40)]
    install.work(processes=3)
    assert sorted(install.relay.recipients()) == sorted(f"{n}@example.net" for n in range(40))
    assert all(install.events(send_id) == DELIVERED for send_id in send_ids)


def test_stopping_finishes_what_is_under_way_and_leaves_the_rest(install):
    for n in range(20):
        install.accept(f"{n}@example.net")
        install.relay.answers["DATA", f"{n}@example.net"] = ["slow"]

    async def stop_soon():
        stop = asyncio.Event()
        async with serving(install.relay), asyncio.TaskGroup() as tasks:
            tasks.create_task(install.process(stop))
            await install.relay.connected.wait()
            stop.set()

    asyncio.run(stop_soon())
    with install.database.reading() as session:
        states = Counter(session.scalars(select(Delivery.state)))
    assert states[DeliveryState.SENDING] == 0
    assert states[DeliveryState.DELIVERED] == len(install.relay.messages) > 0
    assert states[DeliveryState.QUEUED] > 0


def test_a_send_leaves_within_the_poll_interval(install):
    """The quickest of five does: on a busy machine any one may wait for a processor."""
    loop_seconds = []

    def accept():
        install.accept()
        loop_seconds.append(asyncio.get_running_loop().time())

    def arrived():
        loop_seconds.append(asyncio.get_running_loop().time())

    install.work(*(accept, arrived) * 5)
    assert len(install.relay.messages) == 5
    assert min(there - here for here, there in zip(loop_seconds[::2], loop_seconds[1::2], strict=True)) < 0.5


@contextlib.contextmanager
def failing(database, statement, times):
    """The database refuses statements that start so, a number of times."""
    left = [times]

    def refuse(_connection, _cursor, text, _parameters, _context, _many):
        if left[0] and text.startswith(statement) and "delivered" in str(_parameters):
            left[0] -= 1
            raise OperationalError(text, _parameters, Exception("the disk is full"))

    event.listen(database.engine, "before_cursor_execute", refuse)
    try:
        yield
        assert left == [0]
    finally:
        event.remove(database.engine, "before_cursor_execute", refuse)


def test_a_delivery_that_cannot_be_recorded_at_once_is_recorded_later_and_not_sent_twice(install):
    send_id = install.accept()
    with failing(install.database, "UPDATE deliveries", 2):
        install.work()
    assert len(install.relay.messages) == 1
    assert install.events(send_id) == DELIVERED
