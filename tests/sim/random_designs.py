"""`make designs`: random designs in the sliced engine, in Verilator and in the golden model, and planted faults.

    python -m tests.sim.random_designs --designs 300 --faults 50 --log designs.jsonl

A seed gives a design. What is done stands in the log, a line each, so that a run that was stopped goes on where it was.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from bitwright_sim.cache import cache_folder
from tests.coverage import Coverage
from tests.sim.sliced_cases import POINTS, Counts, check_design, check_fault

FAULTS = 100_000  # added to the seeds of designs with planted faults


def done(log: Path) -> list[dict]:
    """The lines of a log, none if there is none yet."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def jobs(args: argparse.Namespace, log: Path) -> Iterator[int]:
    """The seeds that are left: designs and, among them, faults. Of faults, until enough of them were found."""
    seen = {line["seed"] for line in done(log)}
    seed, fault = args.seed, args.seed + FAULTS
    for number in range(args.designs):
        if seed + number not in seen:
            yield seed + number
        if number % 4 == 0 and sum(line["found"] for line in done(log)) < args.faults:
            while fault in seen:
                fault += 1
            yield fault
            fault += 1
    while sum(line["found"] for line in done(log)) < args.faults:
        if fault not in seen:
            yield fault
        fault += 1


def one(seed: int) -> dict:
    """A line of the log: what was compared, or what went wrong."""
    started = time.monotonic()
    failure, counts = "", Counts()
    with tempfile.TemporaryDirectory(prefix="bitwright-designs-") as folder:
        try:
            counts = (check_fault if seed >= FAULTS else check_design)(seed, Path(folder))
        except Exception:
            failure = traceback.format_exc()
    for kept in (cache_folder() / "builds", cache_folder() / "objects" / "sliced"):
        shutil.rmtree(kept, ignore_errors=True)  # no other design needs it
    return {"seed": seed, "failure": failure, "seconds": round(time.monotonic() - started, 1), **vars(counts)}


def summary(lines: list[dict]) -> str:
    """Totals, the failures, and the table of situations."""
    coverage = Coverage(POINTS)
    for line in lines:
        coverage.add(line["situations"])
    faults = [line for line in lines if line["seed"] >= FAULTS]
    totals = {name: sum(line[name] for line in lines) for name in ("frames", "integers", "handshakes")}
    told = [
        str(coverage),
        f"{len(lines) - len(faults)} designs, {len(faults)} planted faults of which {sum(x['found'] for x in faults)} "
        "showed, none of them in one engine alone; " + ", ".join(f"{count:,} {name}" for name, count in totals.items()),
    ]
    failed = [line for line in lines if line["failure"]]
    told += [f"FAILED: seed {line['seed']}: {line['failure'].strip().splitlines()[-1]}" for line in failed]
    return "\n".join(told)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.random_designs", description=__doc__.split("\n")[0])
    parser.add_argument("--designs", type=int, default=300, help="how many (default: 300)")
    parser.add_argument("--faults", type=int, default=50, help="how many that show (default: 50)")
    parser.add_argument("--seed", type=int, default=100, help="of the first design (default: 100)")
    parser.add_argument("--log", type=Path, default=Path("designs.jsonl"), help="what is done (default: designs.jsonl)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bitwright-designs-cache-") as folder:
        os.environ["BITWRIGHT_CACHE"] = folder
        for seed in jobs(args, args.log):
            line = one(seed)
            with args.log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"seed {seed}: {line['failure'] or 'equal'} ({line['seconds']} s)", flush=True)
    lines = done(args.log)
    print(summary(lines))
    return int(any(line["failure"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
