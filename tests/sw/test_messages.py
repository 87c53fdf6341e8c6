"""What commands say, and when: outputs tried before the work, folders in the place of files, narrow terminals."""

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import bitwright as bw
from bitwright.cli import main
from bitwright_core import atomic
from bitwright_core.errors import DataError, OutputError
from bitwright_core.extras import install
from bitwright_core.writable import check_file, check_folder

from .networks import random_network

NOWHERE = "/proc/bitwright/out"  # no one can make a folder there, root neither


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)
    random_network(1).save("n.safetensors")
    Path("text").write_text("a file\n")
    Path("folder").mkdir()


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages") / "d"
    random_network(1).save(folder.parent / "n.safetensors")
    assert main(["generate", str(folder.parent / "n.safetensors"), "--out", str(folder)]) == 0
    return folder


def told(capsys, *argv: object) -> str:
    """The one line of a command that fails with status 2."""
    capsys.readouterr()
    assert main([str(arg) for arg in argv]) == 2
    streams = capsys.readouterr()
    assert streams.out == "" and streams.err.count("\n") == 1, streams.err
    return streams.err


# each command with an output, given as OUT, and what it would work on; none of these may be looked at before
WRITERS = {
    "train digits --out OUT": "folder",
    "import bnn-pynq none --topology lfc --out OUT": "file",
    "import bnn-pynq none --topology lfc --out n --plan OUT": "file",
    "import onnx none.onnx --out OUT": "file",
    "export onnx none --out OUT": "file",
    "size none --board pynq-z2 --out OUT": "file",
    "explore none --board pynq-z2 --out OUT": "folder",
    "generate none --out OUT": "folder",
    "generate none --out d --testbench OUT": "folder",
    "build DESIGN --board pynq-z2 --out OUT": "folder",
    "verify DESIGN --data none.npz --reproducer OUT": "folder",
    "report DESIGN --data none.npz --out OUT": "folder",
    "demo --out OUT": "folder",
}


@pytest.mark.parametrize("command", WRITERS)
def test_outputs_are_tried_before_the_work(capsys, design, command):
    """In a file's way, below a file, and where nobody may write (root neither): told at once, the input unread."""
    places = ["text" if WRITERS[command] == "folder" else "folder", "text/below/out", NOWHERE]
    for place in places:
        line = told(capsys, *command.replace("OUT", place).replace("DESIGN", str(design)).split())
        assert place in line or "text: a file is in the way" in line
        assert "none" not in line.removeprefix(f"bitwright: {place}") and ".tmp" not in line
    assert not Path("n").exists()


@pytest.mark.parametrize(
    "command",
    [
        "size n.safetensors --board pynq-z2 --out n.safetensors",
        "export onnx n.safetensors --out ./n.safetensors",
        "import onnx n.safetensors --out n.safetensors",
        "import bnn-pynq folder --topology text --out text",
        "import bnn-pynq folder --topology lfc --out a --plan a",
    ],
)
def test_an_output_is_no_input(capsys, command):
    before = Path("n.safetensors").read_bytes(), Path("text").read_bytes()
    line = told(capsys, *command.split())
    assert "is what is read, and would be written over" in line or "cannot be both" in line
    assert (Path("n.safetensors").read_bytes(), Path("text").read_bytes()) == before


def test_errors_of_writing_name_the_file_and_not_a_temporary_one(monkeypatch):
    def refuse(*, dir, prefix):
        raise PermissionError(13, "Permission denied", f"{dir}/{prefix}x7f3")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.tempfile, "mkstemp", refuse)
        with pytest.raises(PermissionError) as caught:
            atomic.write_text(Path("folder/plan.toml"), "x")
    assert caught.value.filename == "folder/plan.toml"
    with pytest.raises(IsADirectoryError) as held:
        atomic.write_text(Path("folder"), "x")
    assert held.value.filename == "folder" and not list(Path().glob(".folder*"))


def test_check_file_and_folder():
    check_file(Path("text"))
    check_file(Path("new/below/file"), inputs=(Path("text"), None))
    check_folder(Path("new/below"))
    check_folder(Path("folder"))
    assert sorted(map(str, Path().rglob("*"))) == ["folder", "n.safetensors", "text"]
    with pytest.raises(OutputError, match="folder: a folder is in the way"):
        check_file(Path("folder"))
    Path("folder").chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.geteuid() != 0:  # root may write there in spite of it
        with pytest.raises(OutputError, match=r"folder: nothing can be written \(Permission denied\)"):
            check_folder(Path("folder"))
    Path("link").symlink_to("nowhere")
    with pytest.raises(OutputError, match="link is no folder"):
        check_file(Path("link/x"))


def test_a_cache_that_cannot_be_written(capsys, monkeypatch, design):
    monkeypatch.setenv("BITWRIGHT_CACHE", NOWHERE)
    assert main(["verify", str(design), "--data", "random", "--frames", "1"]) == 2
    assert f"{NOWHERE}: simulator builds cannot be kept there" in capsys.readouterr().err


def test_a_reproducer_in_the_way_is_told_before_the_simulation(capsys, monkeypatch, design):
    monkeypatch.setenv("BITWRIGHT_CACHE", NOWHERE)  # a build would be told
    Path("folder/mine").touch()
    line = told(capsys, "verify", design, "--data", "random", "--frames", 1, "--reproducer", "folder")
    assert "folder: holds files that are not a reproducer" in line


def test_info_takes_a_design_folder(capsys, design):
    assert main(["info", str(design)]) == 0
    text = capsys.readouterr().out
    for part in ("SIMD", "a frame every", "at 100 MHz", "latency", "Next: bitwright verify"):
        assert part in text
    assert main(["info", str(design), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["design"]["clock_mhz"] == 100 and facts["design"]["layers"][0]["pe"] > 0
    assert facts["design"]["edited"] is False
    assert main(["info", "n.safetensors", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["design"] is None


def test_folders_in_the_place_of_files(capsys, design):
    Path("run").mkdir()
    assert "run: a folder that is no design (no manifest.json)" in told(capsys, "info", "run")
    random_network(1).save("run/other.safetensors")
    assert main(["info", "run"]) == 0
    random_network(2).save("run/another.safetensors")
    assert "it holds another.safetensors, other.safetensors; name one of them" in told(capsys, "info", "run")
    random_network(3).save("run/network.safetensors")
    capsys.readouterr()
    assert main(["info", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == random_network(3).digest
    Path("built").mkdir()
    Path("built/design").symlink_to(design)
    assert main(["info", "built"]) == 0
    assert "a frame every" in capsys.readouterr().out


def test_safetensors_of_others(capsys):
    save_file({f"layer{k}.weight": np.zeros((2, 2), np.float32) for k in range(5)}, "model.safetensors")
    line = told(capsys, "info", "model.safetensors")
    assert "of another program's, with 5 tensors (layer0.weight, layer1.weight, layer2.weight, ...)" in line
    for keys, what in (({"shape": []}, "the float model"), ({"data_digest": ""}, "a checkpoint")):
        header = json.dumps({"version": 1, "config": {}, **keys})
        save_file({"x": np.zeros(1)}, "model.safetensors", metadata={"bitwright": header})
        assert what in told(capsys, "info", "model.safetensors")
    random_network(1).save("network.safetensors")
    assert "the network is network.safetensors" in told(capsys, "info", "model.safetensors")


def test_boards_that_there_are_not(capsys, design):
    jtag = ("program", design, "--jtag", "--board")
    assert "no board is called 'arty'; there are " in told(capsys, *jtag, "arty")
    known = "boards that have it: alchitry-au, arty-a7-100t, "
    assert f"kv260 has no JTAG here (no [jtag] in its description); {known}" in told(capsys, *jtag, "kv260")
    assert "no board is called 'ulx3s' (did you mean ulx3s-" in told(capsys, *jtag, "ulx3s")
    ssh = told(capsys, "program", design, "--board", "pynq-z3", "--host", "nowhere.invalid")
    assert "(did you mean pynq-z" in ssh
    for command in ("size n.safetensors --board pynq", "explore n.safetensors --out o --board pynq"):
        assert "no board is called 'pynq' (did you mean pynq-z" in told(capsys, *command.split())
    assert "no board is called 'ulx3s' (did you mean ulx3s-" in told(capsys, "build", design, "--board", "ulx3s")


def test_the_simulated_boards_environment_comes_first(capsys, monkeypatch, design):
    """Told before frames are read or a simulator is built, which the cache would tell."""
    monkeypatch.setenv("BITWRIGHT_CACHE", NOWHERE)
    monkeypatch.delenv("BITWRIGHT_PYNQ", raising=False)
    program = ("program", design, "--board", "pynq-z2", "--simulated", "--data", "none.npz")
    assert ".venv-pynq/bin/python3 is missing; make pynq's environment with: make pynq-env" in told(capsys, *program)
    python = Path("env/bin/python3")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert "env/bin/python3 has no pynq; make pynq's environment" in told(capsys, *program, "--pynq", "env")
    python.unlink()
    python.write_text("no program")
    assert "env/bin/python3 does not run (" in told(capsys, *program, "--pynq", "env")


def test_installing_an_extra_names_no_package_of_an_index(checkout):
    assert install("sim", "train") == f"pip install '{checkout}[sim,train]'"
    for folder in ("sw", "hw", "sim", "boards", "docs"):
        for file in (checkout / folder).rglob("*.[pm][yd]"):
            assert "pip install 'bitwright[" not in file.read_text("utf-8"), file
            assert "pip install bitwright" not in file.read_text("utf-8"), file


@pytest.mark.parametrize(("module", "extra"), [("torch", "train"), ("sklearn", "train"), ("cocotb_tools", "sim")])
def test_the_demo_asks_for_everything_first(monkeypatch, module, extra):
    """Before the training that takes minutes."""
    from bitwright.demo import demo
    from bitwright_core.errors import ToolError

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ToolError, match=rf"the demo needs {module}.*\[{extra}\]"):
        demo(Path("demo-out"))
    assert not Path("demo-out").exists()


COLUMNS = ["layer", "PE", "result", "cycles a frame", "weights in", "of what there is", "LUTs"]
ROWS = [
    ["convolution_one", 12, "passed", 1_234_567, "distributed", "78.25 %", 12_345],
    ["dense", 8, "FAILED: the frame that came after a reset was answered by the frame before it", 64, "block", "-", 7],
]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_tables_fit_and_break_no_number(capsys, monkeypatch, width):
    from bitwright.cli.output import print_table

    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, ROWS, title="Design")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    for whole in ("convolution_one", "1,234,567", "distributed", "78.25 %", "12,345", "block", "FAILED:", "answered"):
        assert any(whole in line for line in lines), whole


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", ["boards", "info DESIGN", "--help"])
def test_commands_fit_narrow_terminals(capsys, monkeypatch, design, width, command):
    monkeypatch.setenv("COLUMNS", str(width))
    try:
        assert main(command.replace("DESIGN", str(design)).split()) == 0
    except SystemExit as stop:
        assert stop.code == 0
    lines = capsys.readouterr().out.splitlines()
    # digests and paths are longer than they may be broken
    assert all(len(line) <= width for line in lines if not line.startswith(("digest", "Verilog", "Next"))), lines


def test_verify_and_its_like_take_test_frames_alone(tmp_path):
    """x_test alone, labels that training lacks, an .npy; the training arrays are not asked for."""
    from bitwright.api.frames import load_frames

    network = random_network(1)
    shape = network.input.shape
    x = np.arange(4 * network.input.size, dtype=np.uint8).reshape(4, *shape) % (1 << network.input.bits)
    np.savez("a.npz", x_test=x)
    found = load_frames(network, "a.npz")
    assert np.array_equal(found.frames.reshape(x.shape), x) and found.labels is None
    top = network.outputs - 1
    np.savez("b.npz", x_train=x, y_train=np.zeros(4, int), x_test=x, y_test=np.full(4, top))
    assert load_frames(network, "b.npz", frames=3).labels.tolist() == [top] * 3
    np.savez("c.npz", x_test=x, y_test=np.full(4, network.outputs))
    with pytest.raises(DataError, match=f"data set c has label {network.outputs}, but network random knows"):
        load_frames(network, "c.npz")
    np.savez("e.npz", x_test=x, y_test=np.array([0, 1, 2, 3]), labels=np.array(["a", "b"]))
    with pytest.raises(DataError, match=r"e: test labels must lie in 0\.\.1, not 0\.\.3"):
        load_frames(network, "e.npz")
    np.save("f.npy", x.astype(float))
    assert np.array_equal(load_frames(network, "f.npy").frames.reshape(x.shape), x)
    np.savez("g.npz", x_train=x, y_train=np.zeros(4, int))
    with pytest.raises(DataError, match=r"g\.npz: has no x_test; .* holds x_test; this one holds x_train, y_train"):
        load_frames(network, "g.npz")
    Path("h.npy").write_bytes(Path("f.npy").read_bytes()[:90])
    with pytest.raises(DataError, match=r"h\.npy: not a readable \.npy"):
        load_frames(network, "h.npy")
    Path("i.npy").write_bytes(Path("a.npz").read_bytes())
    with pytest.raises(DataError, match=r"i\.npy: an \.npz under the name of an \.npy"):
        load_frames(network, "i.npy")
    with pytest.raises(DataError, match=r"no data set 'mnits' \(did you mean mnist\?\): give one of digits, mnist"):
        load_frames(network, "mnits")


def test_a_file_in_place_of_a_design_folder(tmp_path, capsys):
    design = bw.generate(random_network(1), bw.size(random_network(1), cycles=64), tmp_path / "design")
    for file in (design.folder / "manifest.json", *design.verilog):
        assert main(["verify", str(file), "--data", "random"]) == 2
        assert f"{file}: a file, not a design folder; name the folder, {design.folder}" in capsys.readouterr().err
    alone = tmp_path / "alone"
    alone.write_text("")
    assert main(["verify", str(alone), "--data", "random"]) == 2
    assert f"{alone}: a file, not a design folder; name the folder that bitwright generate" in capsys.readouterr().err
