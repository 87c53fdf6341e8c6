"""Runs one step of cocotb's runner in a process of its own, told by a JSON file: python -m ... JOB.

cocotb's runner works on the process's own environment and ends it by SystemExit; here it can do both.
"""

import json
import sys
from pathlib import Path

from cocotb_tools.runner import get_runner


def main(job_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    runner = get_runner(job["simulator"])
    if job["step"] == "build":
        runner.build(
            sources=[Path(source) for source in job["sources"]],
            hdl_toplevel=job["top"],
            parameters=job["hdl_parameters"],
            build_args=job["build_args"],
            build_dir=job["build_dir"],
            timescale=("1ns", "1ps"),
            waves=job["waves"],
            always=True,
        )
    else:
        runner.test(
            test_module=job["module"],
            hdl_toplevel=job["top"],
            hdl_toplevel_lang="verilog",
            build_dir=job["build_dir"],
            test_dir=job["test_dir"],
            results_xml=job["results"],
            seed=job["seed"],
            test_filter=job["test_filter"],
            test_args=job["test_args"],
            plusargs=job["plusargs"],
            extra_env=job["env"],
            waves=job["waves"],
        )


if __name__ == "__main__":
    main(sys.argv[1])
