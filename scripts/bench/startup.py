"""How long `omnidetective --help` and `observers list` take, against bare Python. Usage: startup.py [RUNS]"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare Python": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "omnidetective --help": [sys.executable, "-m", "omnidetective", "--help"],
    "omnidetective observers list": [sys.executable, "-m", "omnidetective", "observers", "list"],
    "import openai": [sys.executable, "-c", "import openai"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(runs: int) -> None:
    """Print medians, in turns so that a drift of the machine hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)
    for _ in range(runs):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    base = statistics.median(taken["bare Python"])
    sys.stdout.write("| process | median s | bare Python = 1 |\n|---|---|---|\n")
    for name, values in taken.items():
        median = statistics.median(values)
        sys.stdout.write(f"| {name} | {median:.3f} | {median / base:.1f} |\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
