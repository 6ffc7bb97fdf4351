"""What `waypost spool status` says: an account for each worker, and in sentences what is wrong with it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from waypost.agent.health import BACKLOG_OLD_SECONDS, WORKER_SILENT_SECONDS
from waypost.cli.tables import table_lines
from waypost.spool.conservation import Account, steady_account
from waypost.spool.counters import LOST, Count, read_status
from waypost.spool.files import files_in
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, REPLAY_SUFFIX
from waypost.spool.reader import count_records

_LOSSES: Final = {
    Count.LOST_NO_SPACE: ("the disk was full", "Make room on it."),
    Count.LOST_IO_ERROR: ("the disk failed", "Mend or replace it; the worker's log has the error."),
    Count.LOST_OVERFLOW: (
        "the disk was seconds behind, or stood still",
        "Give the spool a faster one, or more workers; see that no snapshot freezes it for long.",
    ),
    Count.LOST_WRITER: ("of a bug", "The worker's log has the traceback: please report it."),
    Count.LOST_KILLED: (
        "the worker was killed before a slow disk had them",
        "They were answered unsynced: give the spool a faster disk.",
    ),
}
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker's spool directory.

    Attributes:
        runs: the worker said within the last seconds that it is there.
        failing: why it cannot keep clicks now; None while it can, or does not run.
        adds_up: as `steady_account` says.
        kept: segments that were stored and are still there.
        set_aside: segments that could not be read or stored in full.
        replayed: segments that were handed back, and wait to be read again.
    """

    name: str
    runs: bool
    failing: Count | None
    account: Account
    adds_up: bool
    kept: int
    set_aside: int
    replayed: int


def report_on(directory: Path, now: float, sleep: Callable[[float], None]) -> WorkerReport:
    """Look at the directory of a worker.

    Args:
        directory: of the worker.
        now: seconds since 1970.
        sleep: between looks at an account that does not add up.

    Raises:
        OSError: it cannot be read.
    """
    status = read_status(directory)
    runs = status is not None and abs(now - status.heartbeat_at_ms / 1000) <= WORKER_SILENT_SECONDS
    # A sealed segment does not change: each is counted once.
    look = partial(steady_account, directory, cache(count_records), sleep=sleep)
    account, adds_up = look(closed=not runs)
    if not adds_up and runs:
        account, adds_up = look(closed=True)  # it may have been killed within the last seconds
    kept, set_aside, replayed = (
        len(files_in(directory, suffix)) for suffix in (DONE_SUFFIX, QUARANTINE_SUFFIX, REPLAY_SUFFIX)
    )
    failing = status.failing if status and runs else None
    return WorkerReport(directory.name, runs, failing, account, adds_up, kept, set_aside, replayed)


def as_json(reports: Sequence[WorkerReport], now: float) -> str:
    """For programs: numbers without units are clicks."""
    return json.dumps(
        {
            "adds_up": all(report.adds_up for report in reports),
            "difference": sum(report.account.difference for report in reports),
            "workers": [_fields(report, now) for report in reports],
        },
        indent=2,
    )


def _fields(report: WorkerReport, now: float) -> dict[str, object]:
    account, backlog = report.account, report.account.backlog
    return {
        "name": report.name,
        "runs": report.runs,
        "failing": report.failing,
        "adds_up": report.adds_up,
        "answered": account.counts[Count.ANSWERED],
        "unanswered": account.counts[Count.UNANSWERED],
        "stored": account.stored,
        "spooled": {
            "records": backlog.records,
            "segments": backlog.segments,
            "bytes": backlog.size_bytes,
            "oldest_age_seconds": None if backlog.oldest_at is None else round(_age(backlog.oldest_at, now), 3),
        },
        "quarantined": account.quarantined,
        "lost": {count.removeprefix("lost_"): account.counts[count] for count in LOST},
        "dropped": account.counts[Count.DROPPED],
        "unsynced": account.counts[Count.UNSYNCED],
        "difference": account.difference,
        "segments": {"kept": report.kept, "set_aside": report.set_aside, "replayed": report.replayed},
    }


def as_text(reports: Sequence[WorkerReport], now: float) -> Iterator[str]:
    """For people, line by line."""
    if not reports:
        yield "No worker has run here yet."
        return
    yield from table_lines(
        [
            "WORKER",
            "ANSWERED",
            "UNANSWERED",
            "STORED",
            "SPOOLED",
            "QUARANTINED",
            "LOST",
            "DROPPED",
            "DIFFERENCE",
            "UNSYNCED",
        ],
        [[report.name, *_clicks_of(report.account)] for report in reports],
        numbers=True,
    )
    yield ""
    yield from table_lines(
        ["WORKER", "RUNS", "SEGMENTS", "BYTES", "OLDEST", "KEPT", "ASIDE", "REPLAYED"],
        [[report.name, *_segments_of(report, now)] for report in reports],
        numbers=True,
    )
    if any(report.account.lost for report in reports):
        yield ""
        yield from table_lines(
            ["WORKER", *(count.upper() for count in LOST)],
            [[report.name, *(f"{report.account.counts[count]:,}" for count in LOST)] for report in reports],
            numbers=True,
        )
    yield ""
    yield _conservation(reports)
    for report in reports:
        yield from (f"{report.name}: {sentence}" for sentence in _sentences(report, now))
    if stopped := ", ".join(report.name for report in reports if not report.runs):
        yield f"Not running: {stopped}. What a kill left unsettled is counted here as the next start will settle it."


def _clicks_of(account: Account) -> list[str]:
    numbers = (
        account.counts[Count.ANSWERED],
        account.counts[Count.UNANSWERED],
        account.stored,
        account.backlog.records,
        account.quarantined,
        account.lost,
        account.counts[Count.DROPPED],
        account.difference,
        account.counts[Count.UNSYNCED],
    )
    return [f"{number:,}" for number in numbers]


def _segments_of(report: WorkerReport, now: float) -> list[str]:
    backlog = report.account.backlog
    return [
        "yes" if report.runs else "no",
        f"{backlog.segments:,}",
        f"{backlog.size_bytes:,}",
        "" if backlog.oldest_at is None else _duration(_age(backlog.oldest_at, now)),
        *(f"{segments:,}" for segments in (report.kept, report.set_aside, report.replayed)),
    ]


def _conservation(reports: Sequence[WorkerReport]) -> str:
    accounts = [report.account for report in reports]
    answered, unanswered, dropped = (
        sum(account.counts[count] for account in accounts)
        for count in (Count.ANSWERED, Count.UNANSWERED, Count.DROPPED)
    )
    line = (
        f"{answered:,} answered + {unanswered:,} unanswered = "
        f"{sum(account.stored for account in accounts):,} stored + "
        f"{sum(account.backlog.records for account in accounts):,} spooled + "
        f"{sum(account.quarantined for account in accounts):,} quarantined + "
        f"{sum(account.lost for account in accounts):,} lost + {dropped:,} dropped"
    )
    differences = {report.name: report.account.difference for report in reports if report.account.difference}
    if not differences:
        return f"{line}: it adds up."
    if all(report.adds_up for report in reports):
        return f"{line}: it adds up, but for clicks that were on their way at that moment."
    listed = ", ".join(f"{difference:+,} at {name}" for name, difference in differences.items())
    return f"{line}: it does NOT add up ({listed})."


def _sentences(report: WorkerReport, now: float) -> Iterator[str]:
    """What somebody has to know or do, the worst first."""
    account, backlog = report.account, report.account.backlog
    if report.failing is not None:
        yield f"CLICKS ARE BEING LOST: readers are redirected, but their clicks cannot be kept ({report.failing})."
    for count in LOST:
        if lost := account.counts[count]:
            why, what_to_do = _LOSSES[count]
            yield f"{_clicks(lost)} so far lost because {why}. {what_to_do}"
    if not report.adds_up and account.difference > 0:
        yield (
            f"{_clicks(account.difference)} answered and nowhere to be found. Files that were deleted by hand show "
            "here, and damage that took the end of a segment with it: run `waypost spool verify`."
        )
    if not report.adds_up and account.difference < 0:
        yield (
            f"{_clicks(-account.difference)} found more than answered. A segment copied back by hand is counted "
            "twice (and stored once): use `waypost spool replay` instead. A power loss can take the newest counts with "
            "it."
        )
    if account.counts[Count.DROPPED]:
        yield (
            f"{_clicks(account.counts[Count.DROPPED])} deleted unread, because more waited than spool.max_bytes allows."
        )
    if account.quarantined or report.set_aside:
        yield (
            f"{_clicks(account.quarantined)} quarantined; segments set aside: {report.set_aside:,}. "
            "`waypost spool verify` says what is wrong with them; after an upgrade or a repair, "
            "`waypost spool replay --quarantined`."
        )
    if backlog.oldest_at is not None and _age(backlog.oldest_at, now) > BACKLOG_OLD_SECONDS:
        yield (
            f"clicks wait for {_duration(_age(backlog.oldest_at, now))}. The core, its event store or the way there is "
            "down or slow; nothing is lost while the disk has room."
        )
    if report.replayed:
        yield f"segments handed back and not read yet: {report.replayed:,}. They count as before until they are."


def _clicks(number: int) -> str:
    return "1 click was" if number == 1 else f"{number:,} clicks were"


def _age(at: float, now: float) -> float:
    return max(0.0, now - at)


def _duration(seconds: float) -> str:
    for unit_seconds, unit in _AGES:
        if seconds >= 2 * unit_seconds:
            return f"{seconds / unit_seconds:.0f} {unit}"
    return f"{seconds:.0f} s"
