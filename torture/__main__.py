"""Shows that no reader and no click is lost, by breaking everything: `make torture`, or `python -m torture g1 g2`.

Full runs leave their figures in bench/results/torture-<name>.json and in docs/reliability.md. One that was stopped goes
on with --resume.
"""

import argparse
import importlib
import json
import os
import platform
import random
import shutil
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from torture.gate import Progress, Result, Scale

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "torture"
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "reliability.md"
PAGE_MARKS = ("<!-- figures: `make torture` writes them -->\n", "\n<!-- end of figures -->")
UNNUMBERED = ("webhooks",)
"""What is broken and counted likewise, by a name of its own."""
SEED_NAME = "seed"
TABLE_HEAD = "| gate | shown | figures | minutes | command |\n|---|---|---|---|---|"


def names() -> list[str]:
    """Every gate's module, in order."""
    numbered = (path.stem for path in Path(__file__).parent.glob("g[0-9]*_*.py"))
    return sorted((*numbered, *UNNUMBERED), key=number)


def number(name: str) -> tuple[int, str]:
    """Of the gate: 10 comes after 9, and what has none last."""
    return sys.maxsize if name in UNNUMBERED else int(name.partition("_")[0][1:]), name


def title(name: str) -> str:
    """What it is called by."""
    return name if name in UNNUMBERED else name.partition("_")[0].upper()


def chosen(wanted: list[str]) -> list[str]:
    """Modules that a user names: G2, g2, g2_kill_each_call; everything when nothing is named."""
    if not wanted:
        return names()
    found = [name for name in names() for want in wanted if want.lower() in (name, name.partition("_")[0])]
    missing = [want for want in wanted if not any(want.lower() in (name, name.partition("_")[0]) for name in names())]
    if missing:
        raise SystemExit(f"no gate {', '.join(missing)}; there are: {', '.join(names())}")
    return found


def claim(module: ModuleType) -> str:
    """What it shows: the first line of its docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]


def machine() -> dict[str, int | str]:
    """Where the figures come from."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def show(name: str, text: str) -> None:
    """One line that is written over on a terminal, and one line each elsewhere."""
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{name}: {text}\033[K" if end == "\r" else f"{name}: {text}", end=end, flush=True)


def run(name: str, scale: Scale, *, resume: bool, seed: int | None) -> dict:
    """Run one gate; its result as it is written to the file."""
    module = importlib.import_module(f"torture.{name}")
    directory = WORK / f"{name}-{scale}"
    if not resume:
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    seed = _seed(directory / SEED_NAME, seed)
    progress = Progress(directory, show=lambda text: show(name, text))
    show(name, f"{claim(module)} (seed {seed})")
    try:
        result = module.run(scale, progress, random.Random(seed))
    except Exception:  # noqa: BLE001 -- the other gates run, and this one is told as failed
        traceback.print_exc()
        result = Result({}, (f"it ended with an error: {traceback.format_exc(limit=-1).splitlines()[-1]}",))
    seconds = progress.seconds()
    progress.note_seconds()
    if result.held:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"\n{name}: what it left is in {directory}")
    return {
        "gate": title(name),
        "name": name,
        "claim": claim(module),
        "held": result.held,
        **asdict(result),
        "scale": scale,
        "seed": seed,
        "seconds": seconds,
        "machine": machine(),
    }


def _seed(path: Path, wanted: int | None) -> int:
    """The seed of this run, or of the one that goes on."""
    if path.exists():
        return int(path.read_text())
    seed = random.randrange(2**32) if wanted is None else wanted
    path.write_text(str(seed))
    return seed


def figures(result: dict) -> str:
    """In one line."""
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in result["figures"].items()
    )


def table() -> str:
    """Markdown of every result there is, and on which machines they came about."""
    rows = []
    machines = set()
    for path in sorted(RESULTS.glob("torture-*.json"), key=lambda path: number(path.stem.removeprefix("torture-"))):
        result = json.loads(path.read_text())
        machines.add("{cores} cores, Linux {kernel}, Python {python}".format_map(result["machine"]))
        verdict = "" if result["held"] else "**fails** "
        rows.append(
            f"| {result['gate']} | {result['claim']} | {verdict}{figures(result)} | {result['seconds'] / 60:,.0f} "
            f"| `make torture G={result['gate']}` |"
        )
    return "\n".join([TABLE_HEAD, *rows, "", f"Machine: {'; '.join(sorted(machines))}."])


def page(text: str) -> str:
    """docs/reliability.md with the results there are."""
    begin, end = PAGE_MARKS
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{table()}{end}{rest.partition(end)[2]}"


def main() -> int:
    """Run the gates that are named, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="G1, G2, …; none: all of them")
    parser.add_argument("--short", action="store_true", help="the form that `make test` runs; writes no results")
    parser.add_argument("--resume", action="store_true", help="go on where a stopped run was")
    parser.add_argument("--seed", type=int, help="repeat a run, as far as processes can be repeated")
    given = parser.parse_args()
    scale = Scale.SHORT if given.short else Scale.FULL
    results = []
    for name in chosen(given.names):
        result = run(name, scale, resume=given.resume, seed=given.seed)
        if scale is Scale.FULL:
            (RESULTS / f"torture-{name}.json").write_text(json.dumps(result, indent=2) + "\n")
            PAGE.write_text(page(PAGE.read_text()))
        results.append(result)
    print()
    for result in results:
        verdict = "holds" if result["held"] else "FAILS"
        print(f"{result['gate']:9}{verdict} {result['seconds']:8.1f} s  {figures(result)}")
        for failure in result["failures"]:
            print(f"      {failure}")
    return 0 if all(result["held"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
