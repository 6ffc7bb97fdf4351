import asyncio
import logging
import ssl

import pytest
from tests.integration.mail.scripted_relay import serving
from tests.loop_clock import LoopClock

from waypost.config import StartTls
from waypost.mail.relay import Accepted, Deferred, Envelope, Refused, Relay, Timeouts, _on_this_machine

TIMEOUTS = Timeouts(connect=30, command=30, data=30, idle=10)
MESSAGE = b"Subject: Hi\r\n\r\n.dots\r\n..\r\nend\r\n"


def envelope(recipient="reader@example.net") -> Envelope:
    return Envelope("shop@example.com", recipient, MESSAGE)


@pytest.mark.parametrize(
    "names",
    [{"relay_host": "smtp..example.com"}, {"relay_host": "relay\n"}, {"hostname": "größe"}, {"hostname": "two words"}],
    ids=["empty label", "line end", "beyond ASCII", "space"],
)
def test_a_name_in_the_settings_that_cannot_be_used_holds_mail_up_as_a_relay_that_is_down(relay, mail_settings, names):
    async def talk():
        async with serving(relay):
            return await Relay(mail_settings(relay_port=relay.port, **names), TIMEOUTS).send(envelope())

    answer = asyncio.run(talk())
    assert isinstance(answer, Deferred)
    assert answer.relay_down


@pytest.mark.parametrize(
    ("verb", "address", "answer", "expected"),
    [
        ("DATA", "reader@example.net", "250 queued as 4711", Accepted("250 queued as 4711")),
        ("MAIL", "shop@example.com", "451 busy", Deferred("451 busy")),
        ("RCPT", "reader@example.net", "450 4.2.0 greylisted", Deferred("450 4.2.0 greylisted")),
        ("DATA", "reader@example.net", "452 no space", Deferred("452 no space")),
        ("MAIL", "shop@example.com", "553 not yours", Refused("553 not yours")),
        ("RCPT", "reader@example.net", "550 5.1.1 no such user", Refused("550 5.1.1 no such user")),
        ("DATA", "reader@example.net", "554 spam", Refused("554 spam")),
        ("DATA", "reader@example.net", "550-first\r\n550 second", Refused("550 first second")),
        ("RCPT", "reader@example.net", "550 \x07" + "x" * 2000, Refused("550  " + "x" * 995)),
        ("RCPT", "reader@example.net", "nonsense", Deferred("-1 Malformed SMTP response line: nonsense  ")),
        ("MAIL", "shop@example.com", "421 closing", Deferred("421 closing", relay_down=True)),
        ("MAIL", "shop@example.com", "530 log in first", Deferred("530 log in first", relay_down=True)),
        ("RCPT", "reader@example.net", "cut the connection", Deferred("Unexpected EOF received")),
        ("DATA", "reader@example.net", "cut the connection", Deferred("Unexpected EOF received")),
        ("RCPT", "reader@example.net", "answer nothing", Deferred("Timed out waiting for server response")),
        ("DATA", "reader@example.net", "answer nothing", Deferred("Timed out waiting for server response")),
    ],
)
def test_every_answer_becomes_a_value_and_the_next_message_goes_out(
    relay, mail_settings, verb, address, answer, expected
):
    relay.answers[verb, address] = [answer]

    async def wait_in_vain(clock):
        await relay.hangs.wait()
        clock.pass_seconds(30)

    async def talk():
        clock = LoopClock()
        async with serving(relay), asyncio.TaskGroup() as tasks:
            client = Relay(mail_settings(relay_port=relay.port), TIMEOUTS)
            if answer == relay.HANG:
                tasks.create_task(wait_in_vain(clock))
            first = await client.send(envelope())
            second = await client.send(envelope("next@example.net"))
            await client.close()
            return first, second

    first, second = asyncio.run(talk())
    assert first == expected
    assert isinstance(second, Accepted)
    assert relay.recipients() == ["reader@example.net"] * isinstance(expected, Accepted) + ["next@example.net"]


def test_the_message_arrives_byte_for_byte(relay, mail_settings):
    async def talk():
        async with serving(relay):
            client = Relay(mail_settings(relay_port=relay.port), TIMEOUTS)
            await client.send(envelope())
            await client.close()

    asyncio.run(talk())
    assert relay.messages == [("shop@example.com", "reader@example.net", MESSAGE)]


def test_nobody_listening_is_the_relay_s_trouble_not_the_message_s(mail_settings, unused_tcp_port):
    answer = asyncio.run(Relay(mail_settings(relay_port=unused_tcp_port), TIMEOUTS).send(envelope()))
    assert isinstance(answer, Deferred)
    assert answer.relay_down
    assert f"relay 127.0.0.1:{unused_tcp_port}: cannot connect" in answer.reply


def test_connections_are_reused_and_never_more_than_allowed(relay, mail_settings):
    async def talk():
        async with serving(relay):
            client = Relay(mail_settings(relay_port=relay.port, connections=2), TIMEOUTS)
            for _ in range(3):
                await client.send(envelope())
            in_turn = relay.connections
            await asyncio.gather(*(client.send(envelope()) for _ in range(10)))
            await client.close()
            return in_turn

    assert asyncio.run(talk()) == 1
    assert relay.most_at_once == 2
    assert len(relay.messages) == 13


def test_a_connection_that_the_relay_closed_meanwhile_costs_no_attempt(relay, mail_settings):
    async def talk():
        async with serving(relay):
            client = Relay(mail_settings(relay_port=relay.port), TIMEOUTS)
            await client.send(envelope())
            relay.drop_connections()
            answer = await client.send(envelope())
            await client.close()
            return answer

    assert isinstance(asyncio.run(talk()), Accepted)
    assert relay.connections == 2


def test_idle_connections_are_closed(relay, mail_settings):
    async def talk():
        clock = LoopClock()
        async with serving(relay):
            client = Relay(mail_settings(relay_port=relay.port), TIMEOUTS)
            await client.send(envelope())
            clock.pass_seconds(9)
            await client.close_idle()
            kept = relay.open_now()
            clock.pass_seconds(1)
            await client.close_idle()
            await clock.until(lambda: not relay.open_now())
            return kept

    assert asyncio.run(talk()) == 1


TLS = [
    # setting, relay offers TLS, client trusts its certificate: taken, encrypted
    (StartTls.OPPORTUNISTIC, True, False, True, True),
    (StartTls.OPPORTUNISTIC, False, False, True, False),
    (StartTls.REQUIRED, True, True, True, True),
    (StartTls.REQUIRED, True, False, False, None),
    (StartTls.REQUIRED, False, True, False, None),
    (StartTls.NEVER, True, True, True, False),
    (StartTls.NEVER, False, True, True, False),
]


@pytest.mark.parametrize(("starttls", "offered", "trusted", "taken", "encrypted"), TLS)
def test_tls_is_used_as_the_setting_says(
    relay, mail_settings, certificate, starttls, offered, trusted, taken, encrypted
):
    trust = certificate.trusting if trusted else ssl.create_default_context()

    async def talk():
        async with serving(relay, tls=certificate.server if offered else None):
            client = Relay(mail_settings(relay_port=relay.port, starttls=starttls), TIMEOUTS, trust)
            answers = [await client.send(envelope()) for _ in range(2)]
            await client.close()
            return answers

    answers = asyncio.run(talk())
    assert [isinstance(answer, Accepted) for answer in answers] == [taken] * 2
    assert relay.encrypted == [encrypted] * 2 * taken
    if not taken:
        assert all(answer.relay_down and "STARTTLS failed" in answer.reply for answer in answers)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # that is what is tested here
@pytest.mark.parametrize("with_tls", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_the_relay_is_logged_in_to_and_the_password_shows_nowhere(
    relay, mail_settings, certificate, caplog, with_tls, right
):
    caplog.set_level(logging.DEBUG)
    password = relay.PASSWORD if right else f"{relay.PASSWORD}-wrong"
    settings = {"username": relay.USERNAME, "password": password, "starttls": StartTls.OPPORTUNISTIC}

    async def talk():
        async with serving(relay, tls=certificate.server if with_tls else None, log_in=True):
            client = Relay(mail_settings(relay_port=relay.port, **settings), TIMEOUTS)
            answer = await client.send(envelope())
            await client.close()
            return answer

    answer = asyncio.run(talk())
    assert isinstance(answer, Accepted if right else Deferred)
    assert right or (answer.relay_down and "AUTH failed: 535" in answer.reply)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    assert not any(relay.PASSWORD in line for line in [*ours, answer.reply])


PASSWORD_TO_ANOTHER_MACHINE = [
    # setting, relay offers TLS, client trusts its certificate: why it is not sent, or None
    (StartTls.NEVER, True, True, "AUTH failed: the password is not sent without TLS"),
    (StartTls.OPPORTUNISTIC, False, True, "AUTH failed: the password is not sent without TLS"),
    (StartTls.OPPORTUNISTIC, True, False, "STARTTLS failed"),
    (StartTls.OPPORTUNISTIC, True, True, None),
    (StartTls.REQUIRED, True, False, "STARTTLS failed"),
    (StartTls.REQUIRED, True, True, None),
]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("starttls", "offered", "trusted", "refused"), PASSWORD_TO_ANOTHER_MACHINE)
def test_the_password_goes_to_another_machine_only_when_its_certificate_is_good(
    relay, mail_settings, certificate, monkeypatch, starttls, offered, trusted, refused
):
    monkeypatch.setattr("waypost.mail.relay._on_this_machine", lambda _client: False)
    settings = {"username": relay.USERNAME, "password": relay.PASSWORD, "starttls": starttls}
    trust = certificate.trusting if trusted else ssl.create_default_context()

    async def talk():
        async with serving(relay, tls=certificate.server if offered else None, log_in=True):
            client = Relay(mail_settings(relay_port=relay.port, **settings), TIMEOUTS, trust)
            answer = await client.send(envelope())
            await client.close()
            return answer

    answer = asyncio.run(talk())
    if refused is None:
        assert (answer, relay.logins) == (Accepted("250 OK"), 1)
    else:
        assert (answer.relay_down, relay.logins) == (True, 0)
        assert refused in answer.reply


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (("127.0.0.1", 25), True),
        (("127.8.8.8", 25), True),
        (("::1", 25, 0, 0), True),
        (("192.0.2.1", 25), False),
        (("10.0.0.1", 25), False),
        (("fe80::1%eth0", 25, 0, 2), False),
        (None, False),
    ],
)
def test_only_a_loopback_address_is_this_machine(peer, expected):
    class Connected:
        def get_transport_info(self, _name):
            return peer

    assert _on_this_machine(Connected()) is expected


def test_a_cut_of_this_side_leaves_no_connection_behind(relay, mail_settings):
    relay.answers["DATA", "reader@example.net"] = [relay.HANG]

    async def talk():
        async with serving(relay):
            client = Relay(mail_settings(relay_port=relay.port, connections=1), TIMEOUTS)
            cut = asyncio.create_task(client.send(envelope()))
            await relay.hangs.wait()
            cut.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cut
            answer = await client.send(envelope())
            await client.close()
            return answer

    assert isinstance(asyncio.run(talk()), Accepted)
    assert relay.connections == 2
