"""`waypost who` and `waypost events tail`, asking a core's pipeline over a real store."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner
from tests.unit.store.rows import hit, hit_row, send_id, send_row

from waypost.cli.main import main
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
    answering = Answering(tmp_path, store.lookup, now=lambda: datetime.now(UTC))
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
def clicked(store, account):
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


@pytest.mark.usefixtures("core")
def test_who_says_that_nothing_is_known(run):
    assert run("who", "nobody@example.com").output == "Nothing that is stored was sent to nobody@example.com.\n"


@pytest.mark.usefixtures("core")
def test_tail_shows_the_newest_events(run, clicked):
    _, address = clicked
    result = run("events", "tail", "-n", "1")
    assert (result.exit_code, result.output.count("\n")) == (0, 1), result.output
    assert address in result.output
    assert "click      human" in result.output


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


def test_without_a_core_it_is_said(run):
    result = run("who", "ada@example.com")
    assert (result.exit_code, "no core runs" in result.output) == (1, True)


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
