"""The table of docs/reliability.md that a run of `make bench-edge` leaves."""

from collections.abc import Mapping
from pathlib import Path

from bench.edge_servers import COMPILED_GROUP, COMPILED_PROCESS, FRONTED, GRANIAN, GROUP, NGINX, PROCESS

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
MARKS = ("<!-- speed: `make bench-edge` writes it -->\n", "\n<!-- end of speed -->")
_SERVERS = (NGINX, GRANIAN, PROCESS, GROUP, FRONTED, COMPILED_PROCESS, COMPILED_GROUP)


def page(text: str, results: Mapping[str, dict]) -> str:
    """The page with these results."""
    begin, end = MARKS
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{_table(results)}{end}{rest.partition(end)[2]}"


def _table(results: Mapping[str, dict]) -> str:
    """Markdown: what a redirect costs, then the gates."""
    servers = ["| one worker on one core | CPU a redirect | of nginx's | a second |", "|---|---:|---:|---:|"]
    for name in (name for name in _SERVERS if name in results["redirect"]):
        each = results["redirect"][name]
        servers.append(
            f"| {name} | {each['cpu_us']['median']:.1f} µs | {each['cpu_ratio']['median']:.1f} "
            f"| {each['per_second']['median']:,.0f} |"
        )
    gates = ["| gate | asked | measured | |", "|---|---|---:|---|"]
    gates += [
        f"| {row['gate']} | {row['asked']} | {row['measured']:.2f} | {'met' if row['met'] else '**not met**'} |"
        for row in results["gates"]
    ]
    machine = results["machine"]
    where = (
        f"Machine: {machine['cores']} cores, Linux {machine['kernel']}, Python {machine['Python']}, "
        f"load before {machine['load average before']:.1f}."
    )
    return "\n".join([*servers, "", *gates, "", where])
