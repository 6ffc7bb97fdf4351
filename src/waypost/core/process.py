"""Composition root of the core process."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from waypost.config import Settings
from waypost.control.app import create_app
from waypost.control.context import Fleet
from waypost.control.forwarding import serve_forwarded
from waypost.control.housekeeping import keep_house
from waypost.control.install import Install, open_install
from waypost.control.keys.service import CreatedApiKey
from waypost.control.process import Connect, when_listening
from waypost.control.process import serve as serve_api
from waypost.control.publishing.service import Publisher
from waypost.control.sends.backfill import run as run_backfill
from waypost.control.sources import SYSTEM
from waypost.control.verification.process import run as run_checks
from waypost.control.verification.visit import trust
from waypost.control.webhooks.events import event_reader
from waypost.control.webhooks.owners import run as tell_owners
from waypost.core.keyring import watch
from waypost.core.metrics import CoreCounts, render
from waypost.db.pseudonym import pseudonym
from waypost.edge.forwarded import Front, client_of
from waypost.keyfile import keyring_path
from waypost.keyfile.snapshot import check_keyring_is_newest
from waypost.keyfile.watched import WatchedKeyring
from waypost.links.keyring import Keyring
from waypost.mail.process import run as run_mail
from waypost.pipeline.intake import Intake
from waypost.pipeline.process import run as run_pipeline
from waypost.store import EventStore
from waypost.telemetry.garbage import spare_the_collector
from waypost.webhooks.notices import Notices
from waypost.webhooks.process import run as run_webhooks

# For all that waits for the control database or a file.
_THREADS = 16


def run(
    settings: Settings,
    on_credential: Callable[[CreatedApiKey], None],
    on_ready: Callable[[], None],
    *,
    api_socket: Path | None,
) -> None:
    """Serve the API, take clicks into the event store and deliver mail, until SIGTERM or SIGINT.

    Args:
        settings: of the install.
        on_credential: called on the first start with the operator's credential, which cannot be had again.
        on_ready: called once the API answers.
        api_socket: where API workers forward to, which serve at the port in its place; None: there are none.

    Raises:
        KeyfileError: there is no usable keyring, or an old copy of it.
        DatabaseError: the control database, or control.key, cannot be used.
        StoreError: the event store cannot be used.
        TrustedRootsError: nor can the root certificates of the settings.
        ExceptionGroup: parts of it failed, of CannotListenError when the address to listen on cannot be had.
    """
    keyring = WatchedKeyring(keyring_path(settings.data))
    check_keyring_is_newest(settings.data, keyring.keyring)
    roots = trust(settings.dns.trusted_roots)
    install = open_install(settings)
    try:
        if install.operator is not None:
            on_credential(install.operator)
        store = EventStore.open(settings.store.url.reveal(), settings.data)
        try:
            asyncio.run(_run(settings, keyring, install, store, roots, on_ready, api_socket))
        finally:
            store.close()
    finally:
        install.database.close()


async def _run(  # noqa: PLR0917 -- the parts that `run` has opened
    settings: Settings,
    watched: WatchedKeyring,
    install: Install,
    store: EventStore,
    roots: ssl.SSLContext,
    on_ready: Callable[[], None],
    api_socket: Path | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # For each connection to the relay a thread looks up its name, and may hang there for longer than the attempt lasts,
    # with the next one beside it. By default there are six on two processors, and the kill switch needs one of them.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS + 2 * settings.mail.connections, "core"))

    def keyring() -> Keyring:
        return watched.keyring

    counts = CoreCounts()
    publisher = Publisher(
        settings,
        install.database,
        keyring,
        lambda: datetime.now(UTC),
        pseudonym=partial(pseudonym, install.control_key),
    )
    intake = Intake()
    notices = Notices.open(settings, install.database, counts.webhooks)
    events_of = event_reader(install.database, store)
    front = Front(tuple(each.network for each in settings.edge.trusted_proxies), settings.edge.forwarded_header)
    api = create_app(
        settings,
        database=install.database,
        store=store,
        keyring=keyring,
        control_key=install.control_key,
        fleet=Fleet(publisher, intake),
        client_of=partial(client_of, front=front),
        metrics=lambda: render(install.database, counts, datetime.now(UTC)),
    )
    async with asyncio.TaskGroup() as parts:
        if api_socket is None:
            listen = settings.control.listen
            connect: Connect = partial(asyncio.open_connection, listen.host, listen.port)
            parts.create_task(serve_api(api, listen, stop))
        else:
            connect = partial(asyncio.open_unix_connection, api_socket)
            parts.create_task(serve_forwarded(api, api_socket, stop))
        parts.create_task(run_mail(settings, install.database, keyring, install.control_key, stop, counts=counts.mail))
        parts.create_task(publisher.run(stop))
        parts.create_task(run_checks(settings, install.database, keyring, roots, stop, counts=counts.checks))
        parts.create_task(keep_house(install.database, SYSTEM, settings.control.content_days, stop))
        parts.create_task(run_backfill(install.database, stop))
        parts.create_task(tell_owners(install.database, SYSTEM, settings.control.notices_from, stop))
        parts.create_task(watch(watched, stop))
        parts.create_task(
            run_pipeline(
                settings,
                store,
                install.database,
                stop,
                install.control_key,
                counts=counts.pipeline,
                intake=intake,
                notices=notices,
            )
        )
        parts.create_task(
            run_webhooks(settings, install.database, install.control_key, events_of, stop, counts=counts.webhooks)
        )
        parts.create_task(_when_ready(connect, stop, on_ready))


async def _when_ready(connect: Connect, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    if await when_listening(connect, stop):
        spare_the_collector()
        on_ready()
