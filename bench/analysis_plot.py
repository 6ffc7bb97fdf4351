"""The figures of bench/analysis.py as a picture: python -m bench.analysis_plot FILE.json FILE.png"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

SIZE_COLOURS = ("#c6dafc", "#8ab4f8", "#1a73e8")
GATE, LINES = "#d93025", "#5f6368"


def plot(results: Mapping[str, dict], path: Path) -> None:
    """Draw them: a column for each way of asking, a bar for each query and size."""
    sizes = list(results["sizes"].values())
    ways = list(sizes[0]["ways"])
    figure, axes = plt.subplots(1, len(ways), figsize=(15, 7.5), layout="constrained", sharey=True)
    for axis, way in zip(axes, ways, strict=True):
        names = list(sizes[0]["ways"][way])[::-1]
        height = 0.8 / len(sizes)
        for number, size in enumerate(sizes):
            offset = (len(sizes) - 1) / 2 - number
            axis.barh(
                [place + offset * height for place in range(len(names))],
                [size["ways"][way][name]["p95"] for name in names],
                height,
                color=SIZE_COLOURS[number - len(sizes)],
                label=f"{size['events'] / 1e6:,.0f} million events",
            )
        axis.axvline(results["gate_ms"], color=GATE, linewidth=1)
        axis.set_xscale("log")
        axis.set_xlim(10, 20_000)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(way, fontsize=10)
        axis.set_xlabel("p95, ms (red: gate P5)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].legend(frameon=False, fontsize=8, loc="lower right")
    where = results["machine"]
    said = f"{where['CPU']}, {where['cores']} cores, Linux {where['kernel']}, Python {where['Python']}"
    figure.suptitle(f"Dashboard queries, embedded store   ·   {said}\n", fontsize=11, color=LINES)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    plot(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
