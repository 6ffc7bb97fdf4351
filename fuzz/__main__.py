"""Fuzz everything at once, one process per target: `make fuzz`, or `python -m fuzz --seconds 30`.

Ends with status 0 when no target found anything. A finding is printed with the file that reproduces it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

TARGETS = sorted(Path(__file__).parent.glob("fuzz_*.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300, help="for all targets together  [default: 300]")
    seconds = parser.parse_args().seconds
    findings = Path(tempfile.mkdtemp(prefix="fuzz-"))
    running = {
        target.stem: subprocess.Popen(
            [
                sys.executable,
                target,
                f"-max_total_time={seconds}",
                f"-artifact_prefix={findings}/",
                "-print_final_stats=1",
            ]
        )
        for target in TARGETS
    }
    failed = [name for name, process in running.items() if process.wait() != 0]
    found = sorted(findings.iterdir())
    if failed:
        print(f"{', '.join(failed)} found something: {', '.join(map(str, found)) or 'see above'}")
        return 1
    findings.rmdir()
    print(f"{len(running)} targets, {seconds} s each at the same time: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
