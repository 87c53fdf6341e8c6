"""What a user would be sorry to lose: edits and results in a design's folder, waves that were asked for, a prompt."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright.cli.surroundings import interruptible
from bitwright_core.design import MANIFEST, Design
from bitwright_core.errors import DesignError
from bitwright_core.manifest import read_manifest
from bitwright_core.plan import Plan
from bitwright_sim.tools import writes_fst
from tests.sw.networks import random_network


@pytest.fixture(scope="module")
def network():
    return random_network(3, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)


@pytest.fixture(scope="module")
def original(network, tmp_path_factory):
    return bw.generate(network, bw.size(network, cycles=60), tmp_path_factory.mktemp("kept") / "d", name="random")


@pytest.fixture
def folder(original, network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network.save("n.safetensors")
    return shutil.copytree(original.folder, tmp_path / "d")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_generating_again_says_what_went(folder, network, capsys):
    (folder / "waves-icarus.fst").write_text("")
    (folder / "synth-xc7.json").write_text("{}")
    assert main(["generate", "n.safetensors", "--out", "d"]) == 0
    assert "note: replaced: synth-xc7.json, waves-icarus.fst" in capsys.readouterr().err
    assert main(["generate", "n.safetensors", "--out", "d"]) == 0
    assert "note" not in capsys.readouterr().err
    assert bw.generate(network, out="d").replaced == () and Design.load("d").network == network


@pytest.mark.parametrize("name", ["bitwright_random.v", "plan.toml"])
def test_edits_are_not_lost(folder, capsys, name):
    file = folder / name
    file.write_text(file.read_text().replace("clock_mhz = 100.0", "clock_mhz = 90.0") + "\n")
    before = contents(folder)
    assert main(["generate", "n.safetensors", "--out", "d"]) == 2
    said = capsys.readouterr().err
    assert f"d: {name} was edited after the design was generated, and would be lost; nothing was written" in said
    assert "--force" in said and contents(folder) == before
    assert main(["generate", "n.safetensors", "--out", "d", "--force"]) == 0
    assert not Design.load("d").edited and Design.load("d").plan.clock_mhz == 100


def test_the_edited_plan_itself_is_not_lost(folder, network):
    plan = replace(Plan.load("d/plan.toml"), clock_mhz=90.0)
    plan.save("d/plan.toml")
    assert main(["generate", "n.safetensors", "--plan", "d/plan.toml", "--out", "d"]) == 0
    assert Design.load("d").plan == plan


def test_results_of_another_network_are_not_lost(folder, capsys):
    other = random_network(4, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)
    other.save("other.safetensors")
    (folder / "waves-icarus.fst").write_text("")
    before = contents(folder)
    assert main(["generate", "other.safetensors", "--out", "d"]) == 2
    said = capsys.readouterr().err
    assert "d: holds waves-icarus.fst of another network, random of digest" in said and "--force" in said
    assert contents(folder) == before
    replaced = bw.generate(other, out="d", force=True).replaced
    assert replaced[0].startswith("the design of network random, digest") and replaced[1:] == ("waves-icarus.fst",)


def test_edits_to_another_networks_design_are_not_lost(folder, capsys):
    random_network(4, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3).save("other.safetensors")
    with (folder / "bitwright_random.v").open("a") as file:
        file.write("// mine\n")
    assert main(["generate", "other.safetensors", "--out", "d"]) == 2
    assert "bitwright_random.v was edited" in capsys.readouterr().err


def test_another_networks_design_alone_is_replaced_and_said(folder, capsys):
    other = random_network(4, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)
    other.save("other.safetensors")
    assert main(["generate", "other.safetensors", "--out", "d"]) == 0
    assert "note: replaced: the design of network random, digest" in capsys.readouterr().err
    assert Design.load("d").network == other


def test_a_design_that_cannot_be_read_is_replaced_by_force_alone(folder, network, capsys):
    (folder / MANIFEST).write_bytes(replace_format(folder))
    assert main(["generate", "n.safetensors", "--out", "d"]) == 2
    assert "manifest format 1" in (said := capsys.readouterr().err) and "replace what is there with --force" in said
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(DesignError, match=r"holds thesis\.tex, which no earlier design put there"):
        bw.generate(network, out="d", force=True)
    (folder / "thesis.tex").unlink()
    bw.generate(network, out="d", force=True)
    assert Design.load("d").network == network


def replace_format(folder: Path) -> bytes:
    from msgspec.structs import replace as changed

    return changed(read_manifest(folder), format=1).to_bytes()


def test_edits_made_meanwhile_are_not_lost(folder, network):
    def edit(_what: str, done: int, _total: int) -> None:
        if done == 2:
            with (folder / "bitwright_random.v").open("a") as file:
                file.write("// mine\n")

    with pytest.raises(DesignError, match=r"bitwright_random\.v was edited"):
        bw.generate(network, out="d", progress=edit)
    assert (folder / "bitwright_random.v").read_text().endswith("// mine\n")


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_waves_that_cannot_be_written_are_told_at_once(folder, capsys, simulator):
    place = folder / f"waves-{simulator}.{'fst' if simulator == 'icarus' or writes_fst() else 'vcd'}"
    place.mkdir()  # holds for root, too
    assert main(["simulate", "d", "--waves", "--simulator", simulator]) == 2
    assert f"{place}: a folder is in the way of the file to write" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_at_once(folder, capsys, monkeypatch):
    (folder / "synth-xc7.json").mkdir()
    monkeypatch.setattr("bitwright_hw.synth.Yosys", None)  # no work before
    assert main(["synth", "d", "--family", "xc7"]) == 2
    assert "synth-xc7.json: a folder is in the way of the file to write" in capsys.readouterr().err


def test_a_folder_that_is_read_only(original):
    """As a user without rights, where the tests have any."""
    home = Path(tempfile.mkdtemp(prefix="bitwright-readonly-"))
    try:
        design = shutil.copytree(original.folder, home / "d")
        home.chmod(0o755)
        design.chmod(0o555)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        for line in ("simulate d --waves --simulator icarus", "synth d --family xc7"):
            try:
                done = subprocess.run(
                    [sys.executable, "-B", "-m", "bitwright.cli", *line.split()],
                    cwd=home,
                    text=True,
                    capture_output=True,
                    check=False,
                    env={**os.environ, "HOME": str(home)},
                    **nobody,
                )
            except PermissionError:
                pytest.skip(f"a user without rights cannot run {sys.executable}; run the tests as such a user")
            assert done.returncode == 2 and "Permission denied" in done.stderr, (line, done)
            assert len(done.stderr.splitlines()) == 1
    finally:
        design.chmod(0o755)
        shutil.rmtree(home)


def test_a_mismatch_counts_for_more_than_its_reproducer(original, network, tmp_path, monkeypatch):
    from bitwright_sim import verification

    def refuse(*_: object) -> Path:
        raise PermissionError(13, "Permission denied", "somewhere")

    other = random_network(4, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)
    monkeypatch.setattr(verification, "write_reproducer", refuse)
    report = bw.verify(original, "random", network=other, frames=20)
    assert not report.passed and report.reproducer is None
    assert report.reproducer_error == "somewhere: Permission denied"


def test_control_c_is_never_swallowed():
    """In a finalizer Python ignores exceptions, and a program would go on to its end."""

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1000))  # the handler runs between two instructions of this

    with pytest.raises(KeyboardInterrupt), interruptible():
        thing = Finalized()
        del thing
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize("stage", ["elaborate", "derive"])
def test_control_c_in_generate_stops_with_one_line(tmp_path, stage):
    big = random_network(1, shape=(256,), bits=8, levels=1, hidden=(128, 128), classes=10)
    big.save(tmp_path / "n.safetensors")
    # tells when it has come to the stage, then waits within it
    source = f"""
import os, sys
from bitwright import cli
from bitwright_hw import generator
real = generator.generate
def stopped(*args, progress=None, **named):
    def report(what, done, total):
        if what.startswith({stage!r}):
            os.write(3, b"now")
    return real(*args, progress=report, **named)
import bitwright_hw
bitwright_hw.generate = stopped
sys.argv = ["bitwright", "generate", "n.safetensors", "--out", "d"]
sys.exit(cli.main())
"""
    here, there = os.pipe()
    command = f'exec 3>&{there}; exec {sys.executable} -c "$0"'
    with subprocess.Popen(
        ["bash", "-c", command, source],
        cwd=tmp_path,
        pass_fds=(there,),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        os.close(there)
        assert os.read(here, 3) == b"now"
        os.close(here)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, errors = child.communicate(timeout=60)
        assert time.monotonic() - started < 20
    assert (child.returncode, out, errors) == (130, "", "bitwright: stopped\n")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["n.safetensors"]


def test_sigterm_ends_the_tools_that_run_for_a_command(tmp_path):
    """What nextpnr and Yosys are: processes of their own, which would go on for an hour."""
    source = """
import os, sys
from bitwright import cli
from bitwright_hw.process import run_python
def run(args):
    tool = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(600)"
    return run_python(tool, [], ".", line=lambda text: print(text, flush=True))
import bitwright_hw
bitwright_hw.generate = lambda *args, **named: run(args)
sys.argv = ["bitwright", "generate", "n.safetensors", "--out", "d"]
sys.exit(cli.main())
"""
    random_network(1, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3).save(tmp_path / "n.safetensors")
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        tool = int(child.stdout.readline())
        os.kill(tool, 0)  # it runs
        child.terminate()
        _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (143, "bitwright: stopped\n")
    with pytest.raises(ProcessLookupError):
        os.kill(tool, 0)


def test_a_command_cut_short_leaves_no_warnings(folder, monkeypatch, capsys):
    """Amaranth warns of components that were made and not used; a command that stops has many."""
    from bitwright_hw import generator

    def stop(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(generator, "emit", stop)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["generate", "n.safetensors", "--out", "new", "--json"]) == 130
        gc.collect()  # what is left of the design goes here, and not in another test
    told = capsys.readouterr()
    assert told.err == "bitwright: stopped\n" and json.loads(told.out)["status"] == 130
