"""`waypost spool`: the clicks between the edge and the event store, for a person who looks after them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from waypost.cli.options import data_option
from waypost.cli.spool_status import as_json, as_text, report_on
from waypost.cli.spool_verify import segment_files
from waypost.cli.spool_verify import verify as verify_files
from waypost.spool.files import Files
from waypost.spool.names import OPEN_SUFFIX, REPLAY_SUFFIX, SEALED_SUFFIX, segment_id
from waypost.spool.reader import count_records
from waypost.spool.replay import Settled, hand_back, settled_as, settled_segments

_ALREADY: Final = {
    OPEN_SUFFIX: "is still being written, and is read by itself once it is sealed",
    SEALED_SUFFIX: "waits to be read already",
    REPLAY_SUFFIX: "is handed back already, and waits to be read",
}


@click.group()
def spool() -> None:
    """Account for clicks, check their files, and have them read again.

    The spool is where clicks and opens wait between the edge that answered them and the event store. Everything here
    works while Waypost runs and while it does not, and prints nothing of what a reader did.
    """


@spool.command()
@data_option
@click.option("--json", "for_programs", is_flag=True, help="As JSON.")
def status(data: Path, *, for_programs: bool) -> None:
    """Account for every click of this machine, by worker.

    \b
    answered + unanswered = stored + spooled + quarantined + lost + dropped

    What is left over is the difference. Unsynced clicks are among the others: they were answered before the disk had
    them. KEPT counts stored segments that are still there, ASIDE those that could not be read or stored in full,
    REPLAYED those that wait to be read again.

    While clicks come in, one that is on its way may be seen in neither place or in both. So a difference is looked at
    again, for a second or two, and as many clicks as moved while looking are no difference. A worker that does not run
    is shown as its next start will close its account.

    \b
    Exit codes:
      0  it adds up, with whatever was lost counted
      1  it does not, or the spool cannot be read
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    now = time.time()
    with _plain_errors(data):
        reports = [report_on(directory, now, time.sleep) for directory in _workers(data)]
    if for_programs:
        click.echo(as_json(reports, now))
    else:
        for line in as_text(reports, now):
            click.echo(line)
    if not all(report.adds_up for report in reports):
        click.get_current_context().exit(1)


@spool.command()
@data_option
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="Say nothing of segments that are whole.")
def verify(data: Path, paths: tuple[Path, ...], *, quiet: bool) -> None:
    """Read every segment and say what is damaged in it. Nothing is changed.

    PATH is a segment file or a directory with segments; without one, all of this data directory are read: open, sealed,
    stored and still kept (.done), set aside (.bad), handed back (.replay). The end of an open one may be unfinished.

    \b
    Exit codes:
      0  all are whole
      1  one is damaged, or cannot be read here
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    with _plain_errors(data):
        files: list[Path] = []
        for path in paths or _workers(data):
            files += segment_files(path) if path.is_dir() else [path]
        found = verify_files(files, quiet=quiet)
    gone = f", {found.gone:,} taken away meanwhile" if found.gone else ""
    click.echo(
        f"{_some(len(files), 'segment')}: {found.whole:,} whole, {found.damaged:,} damaged or not readable here{gone}."
    )
    if found.damaged:
        by_state = ", ".join(f"{number:,} {state}" for state, number in sorted(found.damaged_in.items()))
        click.echo(
            f"Those are: {by_state}. What can be read of a sealed one is stored, and the file is set aside then. If "
            "you have a good copy of one that was set aside, put it in its place, under the same name, and hand it "
            "back: waypost spool replay --quarantined"
        )
        click.get_current_context().exit(1)


@spool.command()
@data_option
@click.argument("segments", nargs=-1, metavar="[SEGMENT]...")
@click.option(
    "--stored", is_flag=True, help="Those that were stored and are still kept: after a loss of the event store."
)
@click.option("--quarantined", is_flag=True, help="Those that were set aside: after an upgrade or a repair.")
@click.option("--worker", "names", multiple=True, metavar="NAME", help="Of this worker only; may be repeated.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, and do nothing.")
def replay(
    data: Path, segments: tuple[str, ...], names: tuple[str, ...], *, stored: bool, quarantined: bool, dry_run: bool
) -> None:
    """Hand segments back, to be read and stored again. Nothing is stored twice.

    SEGMENT is an id or a path. With neither a SEGMENT nor --stored nor --quarantined, nothing is done but to say what
    could be. The core reads what is handed back at once, or when it starts; on an edge machine the agent ships it.

    A stored segment is kept for spool.keep_seconds only, and a running core or agent deletes older ones. When the event
    store is lost, replay before the core is started again.
    """
    chosen = [kind for kind, is_chosen in ((Settled.STORED, stored), (Settled.QUARANTINED, quarantined)) if is_chosen]
    if segments and (chosen or names):
        raise click.UsageError("name segments, or choose them with --stored, --quarantined and --worker; not both")
    with _plain_errors(data):
        workers = _workers(data)
        if segments:
            paths = [_named_segment(workers, segment) for segment in dict.fromkeys(segments)]
        else:
            paths = [
                path
                for worker in _named_workers(workers, names)
                for kind in chosen or Settled
                for path in settled_segments(worker, kind)
            ]
        if not paths:
            click.echo("There is nothing to hand back. Stored segments are kept for spool.keep_seconds only.")
        elif dry_run or not (segments or chosen):
            _say("could be handed back", list(_with_records(paths)))
            click.echo("Nothing was changed. Choose with --stored, --quarantined or segments' ids, without --dry-run.")
        else:
            _hand_back(paths)


def _hand_back(paths: Sequence[Path]) -> None:
    done: list[tuple[Path, int]] = []
    try:
        for path, records in _with_records(paths):
            with suppress(FileNotFoundError):
                hand_back(path)
                done.append((path, records))
    finally:
        for directory in {path.parent for path, _ in done}:
            Files().sync_directory(directory)
        _say("handed back", done)
    click.echo("Only what the event store lacks is stored. `waypost spool status` counts them as REPLAYED until read.")


def _with_records(paths: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Each with its number of records, but for what was kept long enough and deleted meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path, count_records(path)


def _say(what: str, segments: Sequence[tuple[Path, int]]) -> None:
    """One line for each worker and kind."""
    groups: dict[tuple[str, Settled | None], list[int]] = {}
    for path, records in segments:
        groups.setdefault((path.parent.name, settled_as(path)), []).append(records)
    for (worker, kind), numbers in groups.items():
        click.echo(f"{worker}: {_some(len(numbers), f'{kind} segment')}, {_some(sum(numbers), 'record')}, {what}")


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _named_segment(workers: Sequence[Path], segment: str) -> Path:
    """The file of a settled segment, by its id or path."""
    given = Path(segment)
    if given.is_file():
        found = [given] if given.resolve().parent in [worker.resolve() for worker in workers] else []
        missing = f"{segment} is not in the spool: copy it into its worker's directory first"
    else:
        found = [path for worker in workers for path in worker.iterdir() if segment_id(path) == segment]
        missing = f"There is no segment {segment} in the spool. Stored ones are kept for spool.keep_seconds only."
    for path in sorted(found, key=lambda path: settled_as(path) is None):
        if settled_as(path) is not None:
            return path
        if path.suffix in _ALREADY:
            raise click.ClickException(f"{segment} {_ALREADY[path.suffix]}.")
    raise click.ClickException(missing)


def _named_workers(workers: Sequence[Path], names: Sequence[str]) -> list[Path]:
    known = {worker.name: worker for worker in workers}
    for name in names:
        if name not in known:
            raise click.ClickException(f"There is no worker {name} here, but: {', '.join(known) or 'none'}.")
    return [known[name] for name in dict.fromkeys(names)] if names else list(workers)


def _workers(data: Path) -> list[Path]:
    """The directories of all workers. Lists each once: a glob would take one that may not be read for an empty one.

    Raises:
        click.ClickException: there is no spool.
        OSError: a directory cannot be read.
    """
    root = data / "spool"
    try:
        found = sorted(path for path in root.iterdir() if path.is_dir())
    except FileNotFoundError as error:
        what = (
            f"{data} has no spool: no edge has run with it" if data.exists() else f"There is no data directory {data}"
        )
        raise click.ClickException(
            f"{what}. Name the one that `waypost up` or `waypost edge` uses with --data, or in WAYPOST_DATA."
        ) from error
    for directory in found:
        next(directory.iterdir(), None)
    return found


@contextmanager
def _plain_errors(data: Path) -> Iterator[None]:
    """What an operator can act on becomes a sentence and exit code 1."""
    try:
        yield
    except PermissionError as error:
        owner = _owner(data)
        raise click.ClickException(
            f"{error.filename}: {error.strerror}. Clicks are personal data, so only the user that Waypost runs as may: "
            f"sudo -u {owner} waypost spool …"
        ) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename}: {error.strerror}. If the disk fails, the kernel's log (dmesg) says more."
        ) from error


def _owner(path: Path) -> str:
    """Who owns a directory, or the nearest one above it that may be looked at."""
    for each in (path, *path.absolute().parents):
        try:
            return each.owner()
        except (OSError, KeyError):
            continue
    return "root"
