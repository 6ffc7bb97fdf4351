"""The control database on SQLite and on PostgreSQL: the same promises on both."""

import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from tests.older import make_older

from waypost.db import UNAVAILABLE, Database, UnknownRevisionError, create_engine, database_url, migrate
from waypost.db.states import AccountState, OutboxTopic, ProfileState, SendState
from waypost.db.tables import Account, ApiKey, Base, Block, Content, Outbox, Profile, Report, Send

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOW = datetime(2026, 3, 29, 1, 30, 15, 123456, UTC)


def an_account(**fields):
    defaults = {"public_id": uuid4(), "name": "Ada", "email": f"{uuid4()}@example.com"}
    return Account(**{**defaults, "created_at": NOW, "modified_at": NOW, **fields})


def a_profile(account, **fields):
    defaults = {"public_id": uuid4(), "profile_name": "p", "sending_domain": "example.com", "link_domain": "localhost"}
    return Profile(**{**defaults, "account": account, "created_at": NOW, "modified_at": NOW, **fields})


def test_the_migrations_make_exactly_the_tables_that_the_code_declares(database):
    def declared(_object, name, *_):
        if name == "ix_search_entries_words":  # SQLite has a full-text index instead, in tables of its own
            return database.engine.dialect.name == "postgresql"
        return not (name or "").startswith("search_words")

    options = {"compare_type": True, "include_object": declared}
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)

    assert found == []


def test_migrating_again_changes_nothing(database):
    with database.writing() as session:
        session.add(an_account(name="kept"))

    migrate(database)

    with database.reading() as session:
        assert session.scalars(select(Account.name)).all() == ["kept"]


def test_of_two_blocks_of_one_thing_that_an_older_release_let_through_the_first_one_holds(new_database, tmp_path):
    database = Database(create_engine(database_url(new_database, tmp_path)))
    block = {"kind": "host", "account": None, "reason": "r", "created_by": "cli", "created_at": NOW}
    values = [("a.example", None), ("b.example", NOW), ("a.example", None), ("b.example", None)]

    def fill(connection):
        for target, removed_at in values:
            row = block | {"public_id": uuid4(), "value": target, "target": target, "removed_at": removed_at}
            connection.execute(insert(Base.metadata.tables["blocks"]).values(row))

    make_older(database, "0006", fill)
    migrate(database)

    with database.reading() as session:
        blocks = session.scalars(select(Block).order_by(Block.number)).all()
    assert [each.removed_at is None for each in blocks] == [True, False, False, True]
    assert (blocks[2].removed_by, blocks[2].removed_at) == ("upgrade", NOW)
    database.close()


def test_processes_that_start_at_once_migrate_one_after_the_other(new_database, tmp_path):
    databases = [Database(create_engine(database_url(new_database, tmp_path))) for _ in range(4)]

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(migrate, databases))

    with databases[0].reading() as session:
        assert session.scalars(text("SELECT count(*) FROM alembic_version")).one() == 1
    for database in databases:
        database.close()


def test_a_database_of_a_newer_release_is_refused_and_left_alone(database):
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(UnknownRevisionError, match="9999"):
        migrate(database)


@pytest.mark.parametrize(
    "written",
    [
        NOW,
        NOW.astimezone(timezone(timedelta(hours=5, minutes=45))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_an_instant_comes_back_the_same_and_in_utc(database, written):
    with database.writing() as session:
        session.add(an_account(created_at=written))
    with database.reading() as session:
        read = session.scalars(select(Account.created_at)).one()

    assert (read, read.tzinfo) == (written, UTC)


def test_instants_sort_by_time_whatever_zone_they_were_written_in(database):
    east = timezone(timedelta(hours=14))
    with database.writing() as session:
        session.add_all(
            [
                an_account(name="second", created_at=NOW),
                an_account(name="first", created_at=(NOW - timedelta(hours=1)).astimezone(east)),
            ]
        )
    with database.reading() as session:
        assert session.scalars(select(Account.name).order_by(Account.created_at)).all() == ["first", "second"]
        assert session.scalars(select(Account.name).where(Account.created_at < NOW)).all() == ["first"]


def test_a_naive_datetime_is_refused(database):
    with pytest.raises(StatementError, match="naive datetime"), database.writing() as session:
        session.add(an_account(created_at=NOW.replace(tzinfo=None)))


def test_an_error_rolls_the_whole_transaction_back(database):
    def fail_halfway():
        with database.writing() as session:
            session.add(an_account())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()

    with database.reading() as session:
        assert session.scalars(select(Account)).all() == []


def test_foreign_keys_hold(database):
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(a_profile(account=12345))


def test_reading_sessions_leave_nothing_behind(database):
    with database.reading() as session:
        session.add(an_account())
        session.flush()

    with database.reading() as session:
        assert session.scalars(select(Account)).all() == []


@pytest.mark.parametrize("make", [an_account, lambda: a_profile(1)], ids=["account", "profile"])
def test_the_number_of_a_deleted_row_is_not_given_out_again(database, make):
    with database.writing() as session:
        session.add(an_account())
    with database.writing() as session:
        session.add(gone := make())
        session.flush()
        number = gone.number
        session.delete(gone)
    with database.writing() as session:
        session.add(later := make())
        session.flush()
        assert later.number > number


def test_content_and_reports_come_back_character_for_character(database):
    html = "<p>\x00 \r\n日本 🎈 \u2028</p>" * 1000
    with database.writing() as session:
        session.add(account := an_account())
        session.flush()
        session.add(profile := a_profile(account.number, state=ProfileState.ACTIVE))
        session.add(content := Content(html=html, text=None, created_at=NOW))
        session.flush()
        send = Send(
            send_id=uuid4(),
            send_key="k" * 27,
            account=account.number,
            profile=profile.number,
            content_id=content.content_id,
            from_email_address="a@example.com",
            recipient_email_address="b@example.com",
            tags=["ünï", "b"],
            created_at=NOW,
            modified_at=NOW,
        )
        session.add(send)
        session.flush()
        session.add(Report(send_id=send.send_id, report={"links": [{"text": "é\x00"}]}, created_at=NOW))

    with database.reading() as session:
        assert session.get_one(Content, content.content_id).html == html
        assert session.get_one(Content, content.content_id).text is None
        assert session.get_one(Report, send.send_id).report == {"links": [{"text": "é\x00"}]}
        read = session.get_one(Send, send.send_id)
        assert (read.tags, read.state) == (["ünï", "b"], SendState.ACCEPTED)
        stored = session.scalars(text("SELECT length(html) FROM contents")).one()
    assert stored < len(html) / 10


def _content(database, html):
    """The number of a content."""
    with database.writing() as session:
        session.add(content := Content(html=html, text=None, report={"links": []}, created_at=NOW))
        session.flush()
        return content.content_id


def test_content_and_reports_that_zlib_has_compressed_are_read(database):
    number = _content(database, "<p>later</p>")
    with database.writing() as session:
        earlier = {"html": zlib.compress("<p>é</p>".encode()), "report": zlib.compress(b'{"links": [1]}')}
        session.execute(text("UPDATE contents SET html = :html, report = :report"), earlier)

    with database.reading() as session:
        content = session.get_one(Content, number)
        assert (content.html, content.report) == ("<p>é</p>", {"links": [1]})


def test_content_that_was_altered_on_the_disk_is_an_error_and_no_mail(database):
    number = _content(database, "".join(f"<p>{number * 7919}</p>" for number in range(1000)))
    with database.writing() as session:
        stored = session.execute(text("SELECT html FROM contents")).scalar_one()
        middle = len(stored) // 2
        altered = stored[:middle] + bytes([stored[middle] ^ 1]) + stored[middle + 1 :]
        session.execute(text("UPDATE contents SET html = :html"), {"html": altered})

    with database.reading() as session, pytest.raises(zstd.ZstdError):
        session.get_one(Content, number)


def test_states_are_stored_as_their_api_names(database):
    with database.writing() as session:
        session.add(an_account(state=AccountState.SUSPENDED))
    with database.reading() as session:
        assert session.scalars(text("SELECT state FROM accounts")).one() == "suspended"


def test_threads_that_read_and_then_write_all_get_through(database):
    with database.writing() as session:
        session.add(Outbox(topic=OutboxTopic.SEND, payload={"count": 0}, created_at=NOW))
    start = threading.Barrier(8)

    def work(_):
        start.wait()
        for _ in range(5):
            with database.writing() as session:
                row = session.scalars(select(Outbox).with_for_update()).one()
                row.payload = {"count": row.payload["count"] + 1}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    with database.reading() as session:
        assert session.scalars(select(Outbox)).one().payload == {"count": 40}


def test_a_writer_of_another_process_is_waited_for(new_database, tmp_path):
    ours, theirs = (Database(create_engine(database_url(new_database, tmp_path))) for _ in range(2))
    migrate(ours)
    inside, release = threading.Event(), threading.Event()

    def hold():
        with theirs.writing() as session:
            session.add(an_account(name="theirs"))
            session.flush()
            inside.set()
            release.wait(5)

    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit(hold)
        assert inside.wait(5)
        threading.Timer(0.2, release.set).start()
        with ours.writing() as session:
            session.add(an_account(name="ours"))
        holding.result()
    with ours.reading() as session:
        assert set(session.scalars(select(Account.name))) == {"ours", "theirs"}
    ours.close()
    theirs.close()


@pytest.mark.parametrize("seconds", [0, 3600], ids=["after a pause it is asked first", "at once it is found out"])
def test_a_connection_that_the_server_ended_is_replaced(postgresql, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr("waypost.db.engine.PING_AFTER_SECONDS", seconds)
    database = Database(create_engine(database_url(postgresql.new_database(), tmp_path)))

    def ask():
        with database.reading() as session:
            return session.scalars(text("SELECT pg_backend_pid()")).one()

    first = ask()
    postgresql.administer(f"SELECT pg_terminate_backend({first})")
    if seconds:
        with pytest.raises(UNAVAILABLE):
            ask()

    assert ask() != first
    database.close()


def test_a_failing_statement_does_not_tell_what_it_was_to_write(database):
    with pytest.raises(IntegrityError) as failed, database.writing() as session:
        session.add(a_profile(account=12345, profile_name="told to nobody"))

    assert "INSERT INTO profiles" in str(failed.value)
    assert "told to nobody" not in str(failed.value)


def test_secrets_do_not_show_when_a_row_is_printed():
    row = ApiKey(public_id=uuid4(), account=1, name="n", role="standard", key="k", secret_hash="hidden", created_at=NOW)

    assert "hidden" not in repr(row)
