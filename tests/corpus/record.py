"""What is recorded of the corpus, and how it is recorded again: python -m tests.corpus.record [NAME ...]

A commit that changes recorded bytes on purpose says so, and records only the designs that it means to change.
"""

import hashlib
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import bitwright as bw
from bitwright_core.design import Design
from bitwright_core.errors import PlanError
from bitwright_core.families import PORTABLE
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from tests.corpus.cases import CASES, LARGE, RANDOM, Case

CHIPS = ("xc7", "ecp5", "ice40")  # those whose estimates are recorded of every case, beside that of its target
RECORDED = Path(__file__).with_name("recorded.json")
_BUILT_HERE = ("build.json",)  # names tools and versions


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def facts(case: Case) -> dict[str, str]:
    """Digest of each thing that follows from the case: network, Verilog, manifest, estimates, board files."""
    network = case.network()
    plan = case.plan(network)
    with tempfile.TemporaryDirectory(prefix="bitwright-corpus-") as name:
        design = bw.generate(network, plan, Path(name) / "design")
        found = {"network": network.digest[:32], "verilog": _verilog(design), "manifest": _manifest(design)}
        chips = dict.fromkeys((*CHIPS, plan.target))
        found |= {f"estimate-{family}": _estimate(network, plan, family) for family in chips if family != PORTABLE}
        if case.board:
            found["board"] = _board(design, case.board, Path(name) / "board")
    return found


def _verilog(design: Design) -> str:
    """Without comments, which name the version and say what docstrings say."""
    sha = hashlib.sha256()
    for file in design.verilog:
        lines = file.read_text().splitlines(keepends=True)
        sha.update("".join(line for line in lines if not line.startswith("//")).encode())
    return sha.hexdigest()[:32]


def _manifest(design: Design) -> str:
    """Without the version, and without digests of files, some of which name it."""
    raw = json.loads((design.folder / "manifest.json").read_text())
    for key in ("bitwright", "digest", "files", "seal"):
        raw.pop(key, None)
    return _sha(json.dumps(raw, sort_keys=True).encode())


def _estimate(network: Network, plan: Plan, family: str) -> str:
    try:
        found = bw.estimate(network, plan, family=family).to_dict()
    except PlanError as error:
        found = {"refused": str(error)}
    return _sha(json.dumps(found, sort_keys=True).encode())


def _board(design: Design, board: str, folder: Path) -> str:
    """Every file of the board's sources, by name and content."""
    if board.startswith("pynq"):
        bw.build(design, board, folder, vivado=False)
    else:
        from bitwright.open_board import open_board
        from bitwright_boards import load_board
        from bitwright_hw.serial.build import write_sources

        write_sources(design, open_board(load_board(board)), folder)
    sha = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith("design/") or file.name in _BUILT_HERE or file.suffix in (".npz", ".safetensors"):
            continue
        sha.update(name.encode() + b"\0" + file.read_bytes().replace(str(folder).encode(), b"FOLDER"))
    return sha.hexdigest()[:32]


def recorded() -> dict[str, dict[str, str]]:
    """Name of each case to what was recorded of it."""
    return json.loads(RECORDED.read_text())


def _one(case_name: str) -> tuple[str, dict[str, str]]:
    case = next(case for case in (*CASES, *RANDOM, *LARGE) if case.name == case_name)
    return case_name, facts(case)


def main(names: list[str]) -> int:
    known = [case.name for case in (*CASES, *RANDOM, *LARGE)]
    if unknown := sorted(set(names) - set(known)):
        print(f"record: no case {', '.join(unknown)}", file=sys.stderr)
        return 2
    result = recorded() if RECORDED.exists() else {}
    changed = 0
    with ProcessPoolExecutor(2) as pool:
        for name, found in pool.map(_one, names or known):
            if result.get(name) != found:
                changed += 1
                old = result.get(name, {})
                print(f"{name}: {', '.join(key for key in found if old.get(key) != found[key])}", file=sys.stderr)
            result[name] = found
    result = {name: result[name] for name in known if name in result}
    RECORDED.write_text(json.dumps(result, indent=1) + "\n")
    print(f"record: {changed} of {len(names or known)} changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
