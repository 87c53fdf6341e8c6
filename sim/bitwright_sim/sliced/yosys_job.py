"""Runs in a process of its own: Verilog to a JSON netlist of word-level cells, hierarchy kept, by Yosys.

Usage: python yosys_job.py JOB.json, which names the files, the top, modules to leave as black boxes, the signals to
keep (paths below the top), the passes, and the file to write.
"""

import json
import sys
from typing import Any

from pyosys import libyosys


def keep(design: Any, top: str, path: str) -> None:
    """Marks the wire at `path` (instance names and the wire's, joined by dots), so that no pass removes its driver."""
    module, parts = design.module(libyosys.IdString("\\" + top)), path.split(".")
    first = 0
    while module is not None:
        for end in range(len(parts), first, -1):  # names may hold dots themselves
            name = libyosys.IdString("\\" + ".".join(parts[first:end]))
            wire = module.wire(name) if end == len(parts) else None
            if wire is not None:
                wire.set_bool_attribute(libyosys.IdString("\\keep"))
                return
            cell = module.cell(name)
            if cell is not None and end < len(parts):
                module, first = design.module(cell.type), end
                break
        else:
            break
    sys.exit(f"no signal {path} in {top}")


def main() -> None:
    job = json.loads(open(sys.argv[1]).read())  # noqa: SIM115, PTH123
    design = libyosys.Design()

    def run(command: str) -> None:
        libyosys.run_pass(command, design)

    for file in job["files"]:
        run(f"read_verilog -sv {file}")
    for module in job["cells"]:
        if design.module(libyosys.IdString("\\" + module)) is not None:
            run(f"delete {module}")
    run(f"hierarchy -top {job['top']}")
    for path in job["keep"]:
        keep(design, job["top"], path)
    for command in (*job["passes"], f"write_json {job['out']}"):
        run(command)


main()
