"""`waypost who` and `waypost events tail`, asking a core's pipeline over a real store."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from tests.unit.store.rows import PERSON, hit, hit_row, send_id, send_row

from waypost.cli.main import main
from waypost.db import Database, create_engine, database_url, migrate
from waypost.db.states import PrivacyMode
from waypost.db.tables import Account, Profile, Send
from waypost.events.hit import HitKind, Outcome
from waypost.pipeline.answer import QUESTION, Answering, Question
from waypost.pipeline.hold import hold
from waypost.store import StoreFailed


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, [*arguments, "--data", str(tmp_path)])

    return run


@pytest.fixture
def core(store, tmp_path):
    """A core's answering, until the test ends."""
    answering = Answering(tmp_path, store, now=lambda: datetime.now(UTC))
    stop = threading.Event()

    def work():
        while not stop.wait(0.01):
            answering.work()

    with hold(tmp_path / "spool"):
        thread = threading.Thread(target=work)
        thread.start()
        yield answering
        stop.set()
        thread.join()


@pytest.fixture
def control(tmp_path):
    """The control database of the data directory."""
    opened = Database(create_engine(database_url("", tmp_path)))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def owner(control, account):
    """The account, in the control database; makes sends of it there."""
    now = datetime.now(UTC)
    times = {"created_at": now, "modified_at": now}
    with control.writing() as session:
        row = Account(public_id=uuid4(), name="n", email="owner@shop.example", **times)
        row.number = account
        session.add(row)
        session.flush()
        profile = Profile(
            public_id=uuid4(),
            account=account,
            profile_name="p",
            sending_domain="shop.example",
            link_domain="localhost",
            **times,
        )
        session.add(profile)
        session.flush()
        number = profile.number

    def sent(send, address, **privacy):
        with control.writing() as session:
            row = Send(
                send_id=send,
                send_key=uuid4().hex[:27],
                account=account,
                profile=number,
                content_id=None,
                from_email_address="a@shop.example",
                recipient_email_address=address,
                **{"click_tracking": True} | privacy,
                **times,
            )
            session.add(row)

    return sent


@pytest.fixture
def clicked(store, account, control):  # noqa: ARG001 -- the command looks into it
    send, address = send_id(), f"ada{account}@example.com"
    store.insert_sends([send_row(account, send, recipient_email_address=address)])
    store.insert_hits([hit_row(hit(account, send, occurred_at=datetime.now(UTC)), segment=f"s.{uuid4()}")])
    return send, address


@pytest.mark.usefixtures("core")
def test_who_says_whether_she_clicked_where_and_with_what(run, clicked, tmp_path):
    send, address = clicked
    result = run("who", address)
    assert result.exit_code == 0, result.output
    assert f"Yes: {address} clicked in 1 of 1 shown." in result.output
    for shown in (str(send), "London, GB", "Mobile Safari on iOS", "spring, ürün"):
        assert shown in result.output
    assert not QUESTION.path(tmp_path).exists(), "readers' addresses stay behind"


@pytest.mark.usefixtures("core", "control")
def test_who_says_that_nothing_is_known(run):
    assert run("who", "nobody@example.com").output == "Nothing that is stored was sent to nobody@example.com.\n"


@pytest.mark.usefixtures("core")
def test_tail_shows_the_newest_events(run, clicked):
    _, address = clicked
    result = run("events", "tail", "-n", "1")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1), result.output
    assert address in result.stdout
    assert "click      human" in result.stdout
    assert "not counted" not in result.stdout
    header = result.stderr.splitlines()
    assert [line.split()[0] for line in header] == ["WHEN"], "a pipe gets events only"
    assert (header[0].index("WHAT"), header[0].index("BY")) == (
        result.stdout.index("click"),
        result.stdout.index("human"),
    )


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.ANSWERED])
@pytest.mark.parametrize(("kind", "what"), [(HitKind.CLICK, ": https://shop.example/"), (HitKind.OPEN, "")])
def test_tail_tells_what_is_not_counted_from_clicks_and_opens(run, clicked, store, account, outcome, kind, what):
    send, _ = clicked
    destination = "https://shop.example/" if kind is HitKind.CLICK else ""
    visit = hit(account, send, occurred_at=datetime.now(UTC), kind=kind, outcome=outcome, destination=destination)
    store.insert_hits([hit_row(visit, segment=f"s.{uuid4()}")])
    assert run("events", "tail", "-n", "1").stdout.endswith(f"  {outcome}, not counted{what}\n")


@pytest.mark.usefixtures("core")
def test_following_shows_what_comes_later_once(run, clicked, store, account, monkeypatch):
    send, _ = clicked
    later = iter(["first", "second"])

    def come(_):
        name = next(later, None)
        if name is None:
            raise KeyboardInterrupt
        url = f"https://{name}.example/"
        store.insert_hits(
            [hit_row(hit(account, send, occurred_at=datetime.now(UTC), destination=url), segment=f"s.{uuid4()}")]
        )

    monkeypatch.setattr("waypost.cli.tail.pause", come)
    output = run("events", "tail", "-n", "1", "--follow").output
    assert [output.count(f"https://{name}.example/") for name in ("first", "second")] == [1, 1]


@pytest.mark.usefixtures("core")
def test_who_says_no_only_where_a_click_would_be_known(run, store, account, owner, control):
    address = f"eve{account}@example.com"

    def sent(days_ago, **privacy):
        at = datetime.now(UTC) - timedelta(days=days_ago)
        send = send_id(at)
        owner(send, address, **privacy)
        store.insert_sends([send_row(account, send, recipient_email_address=address, accepted_at=at)])

    sent(1, privacy_mode=PrivacyMode.PSEUDONYMOUS)
    sent(1, privacy_mode=PrivacyMode.ANONYMOUS)
    sent(1, click_tracking=False)
    said = run("who", address).output.splitlines()
    untracked, unnamed = "the links were not tracked (1 shown)", "the links do not tell who follows them (2 shown)"
    assert said[0] == f"Not known: {untracked}; {unnamed}."
    assert [line.split()[3:6] for line in said[2:]] == [["?"] * 3] * 3

    sent(100)
    sent(10, privacy_mode=PrivacyMode.IDENTIFIED)
    said = run("who", address).output
    assert said.startswith(f"No: nobody followed a link in what was sent to {address} (2 shown). Of 3 others it is not")

    with control.writing() as session:
        session.get_one(Account, account).event_days = 30
    said = run("who", address).output
    assert said.startswith(f"No: nobody followed a link in what was sent to {address} (1 shown). Of 4 others it is not")
    assert f"known: {untracked}; {unnamed}; what was stored of clicks is not kept any more (1 shown).\n" in said


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("how", [{"click_tracking": False}, {"privacy_mode": PrivacyMode.OFF}], ids=str)
def test_who_says_of_what_was_not_tracked_just_that(run, store, account, owner, how):
    send, address = send_id(), f"bob{account}@example.com"
    owner(send, address, **how)
    store.insert_sends([send_row(account, send, recipient_email_address=address)])
    assert run("who", address).output.splitlines()[0] == "Not known: the links were not tracked (1 shown)."


@pytest.mark.usefixtures("control")
def test_without_a_core_it_is_said(run, tmp_path):
    result = run("who", "ada@example.com")
    assert (result.exit_code, f"no core runs on {tmp_path}: " in result.output) == (1, True)
    assert result.output.endswith(f"start `waypost up --data {tmp_path}` first, or name its directory with --data\n")


@pytest.mark.usefixtures("control")
def test_a_store_that_fails_is_said(run, core, monkeypatch):
    def fail(*_):
        raise StoreFailed("sends to an address", "it is gone")

    monkeypatch.setattr(core._lookup, "sent_to", fail)
    result = run("who", "ada@example.com")
    assert (result.exit_code, "it is gone" in result.output) == (1, True)


@pytest.mark.usefixtures("core")
def test_a_question_that_nobody_waits_for_any_more_holds_up_none(run, clicked, tmp_path):
    _, address = clicked
    QUESTION.ask(tmp_path, Question(asked_at=datetime.now(UTC) - timedelta(days=1), address="x@example.com", limit=1))
    assert "Yes" in run("who", address).output


@pytest.mark.usefixtures("core", "owner")
def test_what_would_go_is_said_before_it_does(run, store, account, tmp_path):
    now = datetime.now(UTC)
    for record, days in enumerate((400, 200, 100, 5)):
        at = now - timedelta(days=days)
        send = send_id(at)
        store.insert_sends([send_row(account, send, accepted_at=at)])
        click = hit(account, send, occurred_at=at)
        store.insert_hits([hit_row(click, segment=f"s.{send}", record=record, verdict=replace(PERSON, final=True))])

    def going(*options):
        lines = run("accounts", "keep", "owner@shop.example", "--dry-run", *options).stdout.splitlines()
        return [int(line.split()[0]) for line in lines]

    assert going() == [0, 2, 2, 0]
    assert going("--event-days", "150", "--address-days", "50") == [2, 1, 0, 2]
    assert going("--event-days", "4", "--user-agent-days", "0") == [4, 0, 0, 4]
    kept = run("accounts", "keep", "owner@shop.example").stdout
    assert ("for ever" in kept, kept.count("180")) == (True, 2)
    assert not QUESTION.path(tmp_path).exists()


def test_a_question_that_is_interrupted_leaves_nobodys_address_behind(run, tmp_path, control, monkeypatch):  # noqa: ARG001
    def interrupt(_seconds):
        assert QUESTION.read(tmp_path).address == "ada@example.com"
        raise KeyboardInterrupt

    monkeypatch.setattr("waypost.cli.ask.time.sleep", interrupt)
    with hold(tmp_path / "spool"):
        run("who", "ada@example.com")
    assert not QUESTION.path(tmp_path).exists()


def test_what_nobody_waits_for_any_more_is_removed(store, tmp_path):
    """Who asked was killed: before the core looked, or between its answer and reading it."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    clock = [now]
    answering = Answering(tmp_path, store, now=lambda: clock[0])
    QUESTION.ask(tmp_path, Question(asked_at=now, address="ada@example.com", limit=1))
    assert answering.work() == 1
    assert QUESTION.read(tmp_path).is_over
    clock[0] += timedelta(minutes=3)
    assert answering.work() == 0
    assert not QUESTION.path(tmp_path).exists()
    QUESTION.ask(tmp_path, Question(asked_at=now, address="ada@example.com", limit=1))
    assert Answering(tmp_path, store, now=lambda: clock[0]).work() == 0
    assert not QUESTION.path(tmp_path).exists()
