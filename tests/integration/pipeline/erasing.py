"""E11: after an erasure nothing tells of the reader: no row, no byte of a file; counts stay. Run by test_erasing.py."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import select, text
from tests.unit.pipeline.segments import of_version, seal
from tests.unit.store.rows import hit, send_id

from waypost.control.erasures.service import ask_for_erasure
from waypost.control.sends.search import entry_of
from waypost.control.sources import SYSTEM
from waypost.db import ControlKey
from waypost.db.outbox import LinkRecord, SendEvent, SendRecord, rows
from waypost.db.pseudonym import pseudonym
from waypost.db.states import AttemptOutcome, ErasureState, SendState, WebhookFormat
from waypost.db.tables import (
    Account,
    Content,
    Delivery,
    Erasure,
    IdempotencyKey,
    Profile,
    SearchEntry,
    Send,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookNotice,
)
from waypost.db.tombstones import Tombstones
from waypost.events.client_parser import ClientParser
from waypost.events.notice import NoticeType
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher, client_step
from waypost.pipeline.erasing import Erasing
from waypost.pipeline.hold import hold_segments
from waypost.pipeline.outbox import OutboxDrain
from waypost.pipeline.tell import Teller
from waypost.spool.replay import hand_back
from waypost.store import EventStore
from waypost.webhooks.counts import Counts as WebhookCounts
from waypost.webhooks.notices import Notices

KEY = ControlKey(b"k" * 32)
HER = "Jane.Roe.7391@inbox.example"
HIS = "john.doe@inbox.example"
HERS = {"client_address": "198.51.100.73", "headers": {"user-agent": "Janesbrowser/7391"}}
HIS_OWN = {"client_address": "192.0.2.5", "headers": {"user-agent": "Johnsbrowser/1"}}


class Install:
    """Both stores with two readers, and the pipeline's parts over them, a round at a time."""

    def __init__(self, data, database):
        self.data, self.database = data, database
        self.store = EventStore.open("", data)
        for table in ("events", "sends"):
            self.store._connection.writer.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1")
        self.tombstones = Tombstones(database, KEY)
        self.now = datetime.now(UTC)
        counts = Counts()
        teller = Teller(Notices(database, WebhookCounts(), now=lambda: self.now, keep=timedelta(days=7)))
        self.collector = Collector(
            data / "spool",
            self.store,
            Enricher(counts, client=client_step(ClientParser())),
            counts,
            now=lambda: self.now,
            erased=self.tombstones.has,
            tell=teller.hits,
        )
        self.outbox = OutboxDrain(
            database,
            self.store,
            counts,
            now=lambda: self.now,
            erased=self.tombstones.has,
            tell=teller.send_events,
        )
        self.erasing = Erasing(
            database,
            self.store,
            KEY,
            self.tombstones,
            lambda names: hold_segments(database, names),
            spool=data / "spool",
            now=lambda: max(self.now, datetime.now(UTC)),
        )
        with database.writing() as session:
            account = Account(
                public_id=uuid4(), name="n", email="a@b.example", created_at=self.now, modified_at=self.now
            )
            session.add(account)
            session.flush()
            profile = Profile(
                public_id=uuid4(),
                account=account.number,
                profile_name="p",
                sending_domain="b.example",
                link_domain="localhost",
                created_at=self.now,
                modified_at=self.now,
            )
            endpoint = WebhookEndpoint(
                public_id=uuid4(),
                account=account.number,
                url="https://hooks.example/",
                events=[NoticeType.CLICK, NoticeType.BOUNCE],
                format=WebhookFormat.WAYPOST,
                sealed_secret=b"",
                created_at=self.now,
                modified_at=self.now,
            )
            session.add_all([profile, endpoint])
            session.flush()
            self.account, self.profile = account.number, profile.number

    def sent(self, address, name):
        """A send with all that hangs on it, its facts in the outbox."""
        send, key = send_id(self.now), uuid4().hex[:27]
        with self.database.writing() as session:
            content = Content(html=f"<p>Dear {name}", text=None, created_at=self.now, account=self.account)
            session.add(content)
            session.flush()
            row = {
                "send_id": send,
                "send_key": key,
                "account": self.account,
                "profile": self.profile,
                "content_id": content.content_id,
                "from_email_address": "a@b.example",
                "recipient_email_address": address,
                "recipient_name": name,
                "subject": f"{name}, your order",
                "tags": [],
                "created_at": self.now,
                "modified_at": self.now,
            }
            session.add(Send(**row))
            session.flush()
            delivery = Delivery(send_id=send, next_attempt_at=self.now, created_at=self.now)
            session.add(delivery)
            session.flush()
            session.add(SearchEntry(**entry_of(delivery.delivery_id, row)))
            answer = {"send_id": str(send), "send_key": key, "recipient_email_address": address, "recipient_name": name}
            session.add(
                IdempotencyKey(
                    account=self.account,
                    key=uuid4().hex,
                    request_digest="d",
                    status=202,
                    answer=msgspec.json.encode(answer).decode(),
                    created_at=self.now,
                )
            )
            record = SendRecord(
                send_id=send,
                send_key=key,
                account=self.account,
                profile=self.profile,
                sending_profile_id=UUID(int=7),
                recipient_email_address=address,
                links=[LinkRecord(index=2, name="buy")],
                created_at=self.now,
            )
            session.add_all(rows([record, self.bounced(send, address)], self.now))
        return send, key

    def bounced(self, send, address):
        return SendEvent(
            event_id=send_id(self.now),
            event=SendState.BOUNCE,
            occurred_at=self.now,
            account=self.account,
            profile=self.profile,
            send_id=send,
            detail=f"550 no mailbox {address}",
        )

    def clicked(self, *sends, **who):
        self.sealed(self.hits(*sends, **who))

    def hits(self, *sends, **who):
        return [
            hit(self.account, send, occurred_at=self.now, destination=destination, **who)
            for send in sends
            for destination in ("https://shop.example/a?x=1", f"https://shop.example/b?for={who_is(who)}")
        ]

    def sealed(self, hits):
        return seal(self.data / "spool" / "edge-0", hits)

    def collect(self):
        while self.outbox.drain():
            pass
        self.collector.collect()

    def told(self):
        """Which sends webhooks are to be told of."""
        with self.database.reading() as session:
            return set(session.scalars(select(WebhookNotice.send_id)))

    def attempted(self, send):
        """Every notice of it, and its receiver answers with what it was told."""
        with self.database.writing() as session:
            for number in session.scalars(select(WebhookNotice.number).where(WebhookNotice.send_id == send)).all():
                attempt = WebhookAttempt(
                    notice=number,
                    started_at=self.now,
                    duration_ms=1,
                    outcome=AttemptOutcome.DELIVERED,
                    status=200,
                    error="",
                    answer=f"thanks for {HER}",
                )
                session.add(attempt)

    def ask(self, address, account=None):
        return ask_for_erasure(self.database, SYSTEM, KEY, address, account=account, asked_by="cli")

    def erasure(self):
        with self.database.reading() as session:
            return session.scalars(select(Erasure).order_by(Erasure.number.desc())).first()

    def step(self):
        self.now = max(self.now + timedelta(seconds=2), datetime.now(UTC))
        return self.erasing.work()

    def clicks(self):
        links = "SELECT cutQueryString(destination) AS link, count() FROM events WHERE event = 'click' GROUP BY 1"
        return self.store._query("test", f"{links} ORDER BY 1")

    @property
    def is_sqlite(self):
        return self.database.engine.dialect.name == "sqlite"

    def files_with(self, needles):
        """Names of all files that hold one of these."""
        found = set()
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = Path(folder, name)
                try:
                    data = path.read_bytes()
                except FileNotFoundError:  # the engine has removed it meanwhile
                    continue
                if any(needle in data or needle in data.lower() for needle in needles):
                    found.add(str(path.relative_to(self.data)))
        return found

    def everything(self):
        """Every row of every table of both stores, as text."""
        connection = self.store._connection.writer
        names = connection.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'Join'"
        ).result_rows
        lines = [str(row) for (name,) in names for row in connection.query(f"SELECT * FROM {name}").result_rows]
        with self.database.reading() as session:
            dialect = session.get_bind().dialect.name
            tables = text(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_words%'"
                if dialect == "sqlite"
                else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            for name in session.scalars(tables).all():
                lines += [str(tuple(row)) for row in session.execute(text(f"SELECT * FROM {name}"))]
            lines += session.scalars(select(IdempotencyKey.answer)).all()
        return "\n".join(lines)


def who_is(who):
    return "jane.roe.7391%40inbox.example" if who is HERS else "john"


@pytest.fixture
def install(tmp_path, database):
    made = Install(tmp_path, database)
    yield made
    made.store.close()


def traces(send, key):
    """What would tell of her, as text of a row and as bytes of a file."""
    alias = pseudonym(KEY, send)
    # Not "7391" alone: an id or a time has it now and then.
    texts = [
        "jane",
        "roe.7391",
        "browser/7391",
        "198.51.100.73",
        key,
        *(str(each) for each in (send, alias)),
        send.hex,
        alias.hex,
    ]
    both_halves = [half for each in (send, alias) for half in (each.bytes, each.bytes[:8][::-1] + each.bytes[8:][::-1])]
    return texts, [each.encode() for each in texts] + both_halves


def test_nothing_tells_of_an_erased_reader_and_counts_stay(install):
    his, _ = install.sent(HIS, "John")
    hers, key = install.sent(HER, "Jane")
    install.clicked(hers, pseudonym(KEY, hers), **HERS)
    install.clicked(his, **HIS_OWN)
    install.collect()
    assert install.told() == {his, hers, pseudonym(KEY, hers)}
    install.attempted(hers)
    his_next, _ = install.sent(HIS, "John")
    before = install.clicks()
    texts, needles = traces(hers, key)
    assert all(each in install.everything().lower() for each in (HER.lower(), "198.51.100.73", str(hers), key))

    assert install.files_with(needles) >= ({"control.sqlite3-wal"} if install.is_sqlite else set())
    assert any(name.startswith("store/") for name in install.files_with(needles))

    install.ask(HER.upper())
    assert install.step() == 1
    erased = install.erasure()
    assert (erased.state, erased.sealed_address) == (ErasureState.ERASED, None)
    assert erased.counts == {
        "deliveries": 1,
        "search_entries": 1,
        "sends": 1,
        "webhook_notices": 5,
        "contents": 1,
        "outbox": 0,
        "idempotency_keys": 1,
        "events": 5,
        "slim_sends": 1,
        "quarantined_records": 0,
        "quarantined_unreadable_bytes": 0,
    }
    assert install.clicks() == before

    # She clicks again, by links that go on working.
    install.clicked(hers, pseudonym(KEY, hers), **HERS)
    install.collect()
    assert install.told() == {his, his_next}
    assert install.store.lookup.sent_to(HER, None, 10) == []
    seen = install.store.lookup.newest(None, 100, install.now)
    assert [each.send for each in seen if each.event.send_id is None] == [None] * 9
    assert sum(count for _, count in install.clicks()) == sum(count for _, count in before) + 4

    for _ in range(240):
        if install.step() and install.erasure().state is ErasureState.PURGED:
            break
        # The engine looks for old parts when it has something to do.
        install.clicked(send_id(), **HIS_OWN)
        install.collect()
        time.sleep(0.5)
    assert install.erasure().purged_at is not None
    found = install.everything().lower()
    assert [each for each in texts if each in found] == []
    assert HIS in found
    assert [event.send_id for event in install.store.send_events(install.account, his)] == [his] * 3
    assert install.files_with(needles) == set()


def set_aside(install):
    return next((install.data / "spool").rglob("*.bad"))


def test_segments_that_were_set_aside_tell_of_nobody_either_and_count_as_before(install):
    hers, key = install.sent(HER, "Jane")
    his, _ = install.sent(HIS, "John")
    sealed = install.sealed(install.hits(hers, pseudonym(KEY, hers), **HERS) + install.hits(his, **HIS_OWN))
    data = bytearray(sealed.read_bytes())
    # One record of hers is damaged where her send id stands, so that no look for that would find it.
    data[data.index(hers.bytes) + 5] ^= 1
    sealed.write_bytes(data)
    install.collect()
    aside, before, needles = set_aside(install), install.clicks(), traces(hers, key)[1]
    assert any(each in aside.read_bytes().lower() for each in needles)

    install.ask(HER)
    install.step()

    counts = install.erasure().counts
    assert (counts["quarantined_records"], install.erasure().quarantined_segments) == (3, 0)
    assert counts["quarantined_unreadable_bytes"] > 100
    kept = aside.read_bytes()
    assert [each for each in needles if each in kept or each in kept.lower()] == []
    assert his.bytes in kept
    assert HIS_OWN["client_address"].encode() in kept
    hand_back(aside)
    install.collect()
    assert install.clicks() == before
    assert set_aside(install).name == aside.name


def test_what_is_set_aside_while_the_erasure_is_under_way_is_looked_at_before_it_ends(install, monkeypatch):
    hers, key = install.sent(HER, "Jane")
    install.clicked(hers, **HERS)
    install.collect()
    install.ask(HER)
    install.step()
    install.clicked(hers, **HERS)
    [sealed] = (install.data / "spool").rglob("*.seg")
    sealed.write_bytes(b"damaged" + sealed.read_bytes())
    install.collect()
    needles = traces(hers, key)[1]
    assert any(each in set_aside(install).read_bytes().lower() for each in needles)

    monkeypatch.setattr(install.store.erasing, "is_purged", lambda _: True)
    install.now += timedelta(seconds=120)
    install.step()

    assert install.erasure().state is ErasureState.PURGED
    assert not any(each in set_aside(install).read_bytes().lower() for each in needles)


def test_it_says_what_it_cannot_search(install):
    """A segment of a later release is whole, and unreadable here. Read later, what it holds of her is anonymous."""
    hers, _ = install.sent(HER, "Jane")
    install.clicked(hers, **HERS)
    [sealed] = (install.data / "spool").rglob("*.seg")
    good = sealed.read_bytes()
    aside = sealed.rename(sealed.with_name(f"{sealed.stem}.0-2.bad"))
    aside.write_bytes(of_version(2, good))
    install.ask(HER)
    install.step()
    assert install.erasure().quarantined_segments == 1
    aside.write_bytes(good)
    hand_back(aside)
    install.collect()
    assert sum(count for _, count in install.clicks()) == 2
    found = install.everything().lower()
    assert [each for each in ("jane", "198.51.100.73", str(hers)) if each in found] == []


def test_facts_on_their_way_go_and_later_ones_are_dropped(install):
    hers, _ = install.sent(HER, "Jane")
    install.ask(HER)
    install.step()
    assert install.erasure().counts["outbox"] == 2
    with install.database.writing() as session:
        session.add_all(rows([install.bounced(hers, HER)], install.now))
    install.collect()
    assert "jane" not in install.everything().lower()
    assert install.told() == set()


def test_a_content_that_others_share_stays(install):
    his, _ = install.sent(HIS, "John")
    hers, _ = install.sent(HER, "Jane")
    with install.database.writing() as session:
        session.get_one(Send, hers).content_id = session.get_one(Send, his).content_id
        content = session.get_one(Content, session.get_one(Send, his).content_id)
        content.addressees = {"to": [["Jane", HER]], "cc": [["John", HIS], ["", HER.lower()]]}
    install.ask(HER)
    install.step()
    with install.database.reading() as session:
        assert session.scalars(select(Send.send_id)).all() == [his]
        content = session.get_one(Content, session.get_one(Send, his).content_id)
        assert content.html == "<p>Dear John"
        assert content.addressees == {"to": [], "cc": [["John", HIS]]}


def test_an_account_erases_what_it_sent_and_no_other(install):
    install.sent(HER, "Jane")
    with install.database.writing() as session:
        other = Account(
            public_id=uuid4(), name="o", email="o@o.example", created_at=install.now, modified_at=install.now
        )
        session.add(other)
        session.flush()
        number = other.number
    install.ask(HER, number)
    install.step()
    assert install.erasure().state is ErasureState.ERASED
    assert not any(install.erasure().counts.values())
    with install.database.reading() as session:
        assert len(session.scalars(select(Send.send_id)).all()) == 1


def test_cut_short_it_is_done_again_without_a_copy_too_many(install, monkeypatch):
    hers, _ = install.sent(HER, "Jane")
    install.clicked(hers, **HERS)
    install.collect()
    before = install.clicks()
    install.ask(HER)
    command = install.store._connection.writer.command

    def fail_to_delete(sql, *args, **named):
        if "DELETE" in sql:
            raise ConnectionError("cut short")
        return command(sql, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(install.store._connection.writer, "command", fail_to_delete)
        with pytest.raises(ConnectionError):
            install.step()
    assert install.erasure().state is ErasureState.REQUESTED
    install.step()
    assert install.erasure().state is ErasureState.ERASED
    assert install.clicks() == before
