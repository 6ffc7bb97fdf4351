"""Rewriting speed and growth: `make bench-links` (gates P3, rewriting throughput, and P8, linear growth).

Each contender rewrites every message of a folder, one recipient each: the same URLs count as trackable, and the same
sealed tokens are put there (pytracking decides and makes its links itself). All run in turn in one process, round after
round, and the median ratio of a round counts: machines are noisy, ratios less so.

    python bench/links_rewrite.py [FOLDER] [--rounds 9]
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pytracking.html
import turbohtml
from bs4 import BeautifulSoup

from waypost.links import Link, Policy, plan
from waypost.links.compression import compress
from waypost.links.destination import check
from waypost.links.keyring import Key, Keyring, KeyState
from waypost.links.token import Sealer
from waypost.links.url import click_url

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
EXAMPLES = ROOT / "examples" / "messages"
DOMAIN = "links.example.com"
ORIGIN = f"https://{DOMAIN}"
KEYRING = Keyring((Key(1, bytes(range(64)), KeyState.MINTING),))
SEND_ID = UUID("01920000-0000-7000-8000-000000000000")


def sealer() -> Sealer:
    return Sealer(KEYRING, DOMAIN, account=17, profile=42)


def waypost_links(html: str) -> str:
    seal = sealer()
    return plan(html, Policy()).render(
        lambda link: click_url(ORIGIN, seal.click(SEND_ID, link.index, link.destination))
    )


def turbohtml_splice(html: str) -> str:
    """A parser with source locations, and slices between the `href` attributes it found."""
    seal = sealer()
    pieces = []
    position = 0
    for index, element in enumerate(turbohtml.parse(html, source_locations=True).find_all(["a", "area"])):
        href = element.attrs.get("href")
        if href is None or element.source_location is None or "data-smtpd-no-track" in element.attrs:
            continue
        destination = href.strip()
        if check(destination) is not None:
            continue
        url = click_url(ORIGIN, seal.click(SEND_ID, index, destination))
        span = element.source_location.attrs["href"]
        pieces += (html[position : span.start_offset], f'href="{url}"')
        position = span.end_offset
    return "".join((*pieces, html[position:]))


def beautifulsoup_loop(html: str) -> str:
    seal = sealer()
    soup = BeautifulSoup(html, "html.parser")
    for index, element in enumerate(soup.find_all("a", href=True)):
        destination = element["href"].strip()
        if "data-smtpd-no-track" not in element.attrs and check(destination) is None:
            element["href"] = click_url(ORIGIN, seal.click(SEND_ID, index, destination))
    return str(soup)


PYTRACKING = pytracking.Configuration(base_click_tracking_url=f"{ORIGIN}/c/", base_open_tracking_url=f"{ORIGIN}/o/")
METADATA = {"account": 17, "profile": 42, "send_id": str(SEND_ID)}


def pytracking_adapt(html: str) -> str:
    return pytracking.html.adapt_html(html, METADATA, open_tracking=False, configuration=PYTRACKING)


CONTENDERS: dict[str, Callable[[str], str]] = {
    "waypost": waypost_links,
    "turbohtml, parse and splice": turbohtml_splice,
    "pytracking": pytracking_adapt,
    "BeautifulSoup loop": beautifulsoup_loop,
}


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def first_time(rewrite: Callable[[str], str], messages: list[str]) -> float:
    compress.cache_clear()
    return cpu_seconds(lambda: [rewrite(message) for message in messages])


def throughput(messages: list[str], rounds: int) -> dict[str, float]:
    """Megabytes a second of each contender: medians over the rounds."""
    size = sum(len(message.encode()) for message in messages)
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, rewrite in CONTENDERS.items():
            repeats = 1 if name in ("pytracking", "BeautifulSoup loop") else 5
            seconds[name].append(statistics.mean(first_time(rewrite, messages) for _ in range(repeats)))
    ratios = {
        name: statistics.median(theirs / ours for theirs, ours in zip(taken, seconds["waypost"], strict=True))
        for name, taken in seconds.items()
    }
    print(f"\nP3: {len(messages)} messages, {size / 1e6:.1f} MB, median of {rounds} rounds, one core")
    print(f"  {'':30} {'MB/s':>8} {'waypost is':>12}")
    result = {}
    for name, taken in seconds.items():
        result[name] = size / statistics.median(taken) / 1e6
        print(f"  {name:30} {result[name]:8.1f} {ratios[name]:11.2f} x")
    return {f"{name} MB/s": round(value, 1) for name, value in result.items()} | {
        f"ratio to {name}": round(ratio, 2) for name, ratio in ratios.items() if name != "waypost"
    }


def newsletter(size: int, links: int) -> str:
    """A message of about this many bytes and exactly this many trackable links."""
    row = (
        '<tr><td style="padding:12px 0;font:16px/24px Arial,sans-serif;color:#333333">'
        '<p>{text}</p><a href="{url}" style="color:#1a73e8">Read on</a></td></tr>\n'
    )
    filler = "All that is worth knowing, in a few lines. "
    url = "https://www.shop.example/articles/2026/11/{n}/what-changed?utm_source=newsletter&amp;utm_medium=email"
    text = filler * max(1, (size // links - len(row) - len(url)) // len(filler))
    rows = "".join(row.format(text=text, url=url.format(n=n)) for n in range(links))
    return f"<!doctype html><html><body><table>{rows}</table></body></html>"


def many_recipients(rounds: int) -> dict[str, float]:
    html = newsletter(50_000, 30)
    p = plan(html, Policy())
    recipients = 2_000
    best = []
    for _ in range(rounds):
        seal = sealer()
        ids = [UUID(int=SEND_ID.int + n) for n in range(recipients)]

        def render(seal: Sealer = seal, ids: list[UUID] = ids) -> None:
            for send_id in ids:

                def url(link: Link, send_id: UUID = send_id) -> str:
                    return click_url(ORIGIN, seal.click(send_id, link.index, link.destination))

                p.render(url)

        best.append(recipients / cpu_seconds(render))
    rate = statistics.median(best)
    print(
        f"\nP3: one message of {len(html) / 1000:.0f} KB with {len(p.tracked)} links: "
        f"{rate:,.0f} recipients a second, one core"
    )
    return {"recipients a second": round(rate)}


def growth() -> dict[str, dict[int, float]]:
    """Seconds at 1, 10 and 100 times the size, and at 1, 10 and 100 times the links in as many bytes."""
    by_size = {size: newsletter(size, size // 2_000) for size in (20_000, 200_000, 2_000_000)}
    by_links = {links: newsletter(2_000_000, links) for links in (50, 500, 5_000)}
    result: dict[str, dict[int, float]] = {}
    for title, messages in (("bytes", by_size), ("links", by_links)):
        result[title] = {}
        print(f"\nP8: rewriting by {title}")
        for amount, html in messages.items():
            seconds = min(cpu_seconds(lambda html=html: waypost_links(html)) for _ in range(7))
            result[title][amount] = seconds
            print(f"  {amount:>10,} {title:6} {seconds * 1000:9.2f} ms  {seconds / len(html) * 1e9:6.2f} ns a byte")
    return result


def plot(speeds: dict[str, float], grown: dict[str, dict[int, float]], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    names = list(CONTENDERS)
    left.barh(names, [speeds[f"{name} MB/s"] for name in names], color=["#1a73e8", *["#9aa0a6"] * (len(names) - 1)])
    left.invert_yaxis()
    left.set_xscale("log")
    left.set_xlabel("MB/s rewritten (log)")
    left.set_title("Rewriting, one recipient each")
    for title, points in grown.items():
        first = next(iter(points))
        right.plot(
            [amount / first for amount in points],
            [seconds / points[first] for seconds in points.values()],
            "o-",
            label=f"by {title}",
        )
    right.plot([1, 100], [1, 100], ":", color="#9aa0a6", label="linear")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("times the amount")
    right.set_ylabel("times the time")
    right.set_title("Growth")
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=EXAMPLES, help="HTML messages, searched with subfolders"
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    messages = [path.read_bytes().decode("utf-8") for path in sorted(options.folder.rglob("*.html"))]
    if not messages:
        parser.error(f"no .html files below {options.folder}")
    speeds = throughput(messages, options.rounds)
    speeds |= many_recipients(options.rounds)
    grown = growth()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "links-rewrite.json").write_text(json.dumps({**speeds, "growth seconds": grown}, indent=2) + "\n")
    plot(speeds, grown, RESULTS / "links-rewrite.png")
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}/links-rewrite.json and .png")


if __name__ == "__main__":
    main()
