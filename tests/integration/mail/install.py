"""An install as far as mail knows it: a database with an account and a profile, and the mail process over it."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import select, update
from tests.integration.mail.scripted_relay import serving
from tests.rsa_key import rsa_private_key

from waypost.control.profiles.dkim import add_dkim_keys, new_dkim_keys
from waypost.control.sources import Sources
from waypost.db import ControlKey
from waypost.db.outbox import SendEvent, fact_of
from waypost.db.states import AccountState, DeliveryState, ProfileState
from waypost.db.tables import Account, Content, Delivery, Outbox, Profile, Send
from waypost.events.ids import uuid7
from waypost.links.keyring import Keyring
from waypost.mail.process import run
from waypost.mail.relay import Timeouts

KEYRING = Keyring.new(bytes(range(64)))
# A message that a busy machine was slow with would be postponed, and no test here waits for one.
PATIENT = Timeouts(connect=30, command=30, data=30, idle=10)
CONTROL_KEY_TEXT = (b"k" * 32).hex() + "\n"
"""As `control.key` has it."""
CONTROL_KEY = ControlKey(b"k" * 32)
START = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HTML = '<body>\r\n<a href="https://example.net/?a=1&amp;b=2">A</a> \n\r</body>\r\n'


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Install:
    """A database with one approved account and one active profile, and the mail process over it."""

    database: object
    settings: object
    relay: object
    clock: Clock = field(default_factory=Clock)
    counts: Counter = field(default_factory=Counter)
    _sends: int = 0

    def accept(self, recipient="reader@example.net", html=HTML, text="t", **changes) -> UUID:
        """What control does with a message; the send's id."""
        self._sends += 1
        now = self.clock()
        send_id = uuid7(int(now.timestamp() * 1000), self._sends.to_bytes(10))
        with self.database.writing() as session:
            content = Content(html=html, text=text, created_at=now)
            session.add(content)
            session.flush()
            send = {
                "send_id": send_id,
                "send_key": f"{self._sends:027}",
                "account": 1,
                "profile": 1,
                "content_id": content.content_id,
                "from_email_address": "shop@example.com",
                "recipient_email_address": recipient,
                "subject": "Hi",
                "created_at": now,
                "modified_at": now,
            }
            session.add(Send(**(send | changes)))
            session.flush()
            session.add(Delivery(send_id=send_id, next_attempt_at=now, created_at=now))
        return send_id

    def send(self, send_id: UUID) -> Send:
        with self.database.reading() as session:
            return session.get_one(Send, send_id)

    def delivery(self, send_id: UUID) -> Delivery:
        with self.database.reading() as session:
            return session.scalars(select(Delivery).where(Delivery.send_id == send_id)).one()

    def events(self, send_id: UUID) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            rows = session.scalars(select(Outbox).order_by(Outbox.outbox_id)).all()
        facts = [fact_of(row.topic, row.payload) for row in rows]
        found = [fact for fact in facts if fact.send_id == send_id]
        assert all(isinstance(fact, SendEvent) and (fact.account, fact.profile) == (1, 1) for fact in found)
        assert len({fact.event_id for fact in found}) == len(found)
        return [(str(fact.event), fact.detail) for fact in found]

    def change(self, table, **values) -> None:
        with self.database.writing() as session:
            session.execute(update(table).values(**values))

    def process(self, stop: asyncio.Event, *, trust=None, **mail):
        changed = msgspec.structs.replace(self.settings.mail, **{"relay_port": self.relay.port or 1, **mail})
        return run(
            msgspec.structs.replace(self.settings, mail=changed),
            self.database,
            lambda: KEYRING,
            CONTROL_KEY,
            stop,
            clock=self.clock,
            chance=lambda: 0.5,
            timeouts=PATIENT,
            trust=trust,
            counts=self.counts,
        )

    def work(self, *steps, processes=1) -> None:
        """Serve the relay and run the mail process; take each step once all that is due is done."""

        async def running():
            stop = asyncio.Event()
            async with serving(self.relay), asyncio.TaskGroup() as tasks:
                for _ in range(processes):
                    tasks.create_task(self.process(stop))
                await self.idle()
                for step in steps:
                    step()
                    await self.idle()
                stop.set()

        asyncio.run(asyncio.wait_for(running(), 120))

    async def idle(self) -> None:
        due = Delivery.next_attempt_at <= self.clock()
        unfinished = Delivery.state.in_([DeliveryState.QUEUED, DeliveryState.SENDING])
        while True:
            with self.database.reading() as session:
                if not session.scalars(select(Delivery.delivery_id).where(due, unfinished).limit(1)).all():
                    return
            await asyncio.sleep(0.02)

    async def until(self, condition) -> None:
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def account_and_profile(database) -> None:
    """Account 1, approved, with profile 1, active, and its DKIM keys, both published."""
    with database.writing() as session:
        session.add(
            Account(
                public_id=UUID(int=1),
                name="Shop",
                email="owner@example.com",
                state=AccountState.APPROVED,
                created_at=START,
                modified_at=START,
            )
        )
        session.flush()
        session.add(
            Profile(
                public_id=UUID(int=2),
                account=1,
                profile_name="shop",
                sending_domain="example.com",
                link_domain="links.example.com",
                state=ProfileState.ACTIVE,
                created_at=START,
                modified_at=START,
            )
        )
        session.flush()
        keys = new_dkim_keys(Sources(Clock(), os.urandom, rsa_private_key), CONTROL_KEY)
        for key in keys:
            key.seen_at = START
        add_dkim_keys(session, 1, keys)
