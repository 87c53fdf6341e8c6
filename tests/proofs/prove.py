"""Runs proofs and prints a table: `make prove`, or `python -m tests.proofs.prove [--quick] [NAME ...]`.

A NAME is a proof's or a group's. The exit status is 1 if a proof fails, or is not done within its time.
"""

import argparse
import contextlib
import multiprocessing
import os
import resource
import sys
import time

from bitwright_core.errors import ToolError
from tests.proofs.proof import Proof
from tests.proofs.registry import BY_NAME, PROOFS


def run(name: str) -> tuple[str, bool, str, float, float]:
    """The proof called `name`: whether it is proven, what came out, the seconds and the CPU seconds that it took."""
    before, began = _used(), time.monotonic()
    try:
        outcome = BY_NAME[name].run()
        proven, text = outcome.proven, str(outcome)
    except ToolError as error:
        proven, text = False, str(error)
    return name, proven, text, time.monotonic() - began, _used() - before


def _used() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def chosen(names: list[str], quick: bool) -> list[Proof]:
    """Raises SystemExit for a name that is none."""
    known = {proof.name for proof in PROOFS} | {proof.group for proof in PROOFS}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"there is no proof {unknown[0]}; their names: {', '.join(sorted(known))}")
    found = [proof for proof in PROOFS if not names or proof.name in names or proof.group in names]
    return [proof for proof in found if proof.quick or not quick]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.prove", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a proof or a group of proofs (default: all)")
    parser.add_argument("--quick", action="store_true", help="those alone that continuous integration runs")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes at a time")
    options = parser.parse_args(arguments)
    proofs = chosen(options.names, options.quick)
    began = time.monotonic()
    rows: dict[str, tuple[bool, str, float]] = {}
    order = [proof.name for proof in sorted(proofs, key=lambda proof: proof.quick)]
    with contextlib.ExitStack() as stack:
        results = map(run, order)
        if options.jobs > 1:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(options.jobs))
            results = pool.imap_unordered(run, order)
        for name, proven, text, seconds, cpu in results:
            rows[name] = (proven, text, cpu)
            print(f"{len(rows):4} of {len(order)}  {name}: {text}, {seconds:.1f} s", file=sys.stderr, flush=True)
    width = max((len(name) for name in rows), default=0)
    for proof in proofs:
        _, text, cpu = rows[proof.name]
        print(f"{proof.name:{width}}  {proof.method:24} {cpu:8.1f} s CPU  {text}")
    took, cpu = time.monotonic() - began, sum(row[2] for row in rows.values())
    bad = sum(not row[0] for row in rows.values())
    print(f"{len(rows) - bad} of {len(rows)} proofs hold; {took:.0f} s, {cpu:.0f} s of CPU")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
