"""Wrong inputs of every command: one sentence on standard error, exit status 2, no traceback, JSON with --json.

Each line is a command and a part of what it must say. Files that it needs are made by `_files`; nothing is built.
"""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from bitwright.cli import main
from bitwright_core.layer import dense_layer

from .networks import random_network

TOML = 'name = "mine"\ndataset = "digits"\nhidden = [8]\n'
FILES = {
    "empty": b"",
    "text": b"hello, this is no such file\n",
    "binary": bytes(range(256)),
    "empty.safetensors": b"",
    "cut.safetensors": None,
    "long.safetensors": struct.pack("<Q", 1 << 60),
    "kernal.toml": (TOML + "convs = [{ outputs = 2, kernal = 5 }]\n").encode(),
    "epoch.toml": (TOML + "epoch = 3\n").encode(),
    "nameless.toml": b'dataset = "digits"\nhidden = [8]\n',
    "type.toml": (TOML + 'epochs = "many"\n').encode(),
    "choice.toml": (TOML + 'loss = "hinge"\n').encode(),
    "set.toml": TOML.replace('"digits"', '"digit"').encode(),
    "nan.toml": (TOML + "learning_rate = nan\n").encode(),
    "syntax.toml": b"name = \n",
    "twice.toml": (TOML + 'name = "again"\n').encode(),
    "latin.toml": "name = 'é'".encode("latin-1"),
    "bram.toml": b'[[layers]]\nname = "layer0"\npe = 1\nsimd = 1\nmemory = "bram"\n',
    "clok.toml": b"layers = []\nclok_mhz = 3\n",
    "lanes.toml": b'[[layers]]\nname = "layer0"\npe = 1\nsimd = 1\nlane = 1\n',
    "zero.toml": b'[[layers]]\nname = "layer0"\npe = 0\nsimd = 1\n',
    "other.toml": b'[[layers]]\nname = "other"\npe = 1\nsimd = 1\n',
    "list.toml": b"layers = 3\n",
    "board.toml": b'board = "pynq-z9"\n[[layers]]\nname = "layer0"\npe = 1\nsimd = 1\n'
    b'[[layers]]\nname = "layer1"\npe = 1\nsimd = 1\n[[layers]]\nname = "layer2"\npe = 1\nsimd = 1\n',
    "kind.toml": b'name = "t"\nclass_rule = "largest_count"\n[input]\nshape = [4]\nthresholds = [1]\n'
    b'[[layers]]\nkind = "dens"\noutputs = 2\nsimd = 1\npe = 1\n',
    "rule.toml": b'name = "t"\nclass_rule = "largest"\nlayers = []\n[input]\nshape = [4]\n',
    "cut.npz": None,
    "x.npz": None,
    "label.npz": None,
    "float.npz": None,
    "train.npz": None,
    "pickle.npz": None,
    "shape.npy": None,
    "model.onnx": b"not an onnx file",
}

WRONG = {
    # names that are nearly those of what is there
    "simulate desing": "desing: no manifest.json there (did you mean design?)",
    "verify Out/design --data digits": "no manifest.json there (did you mean out/design?)",
    "synth out": "out: no manifest.json there (did you mean out/design?)",
    "report out/desgin": "(did you mean out/design?)",
    "info near.safetensor": "near.safetensor: no such network file (did you mean near.safetensors?)",
    "info naer.safetensors": "naer.safetensors: no such network file (did you mean near.safetensors?)",
    "size neer.safetensors --board pynq-z2": "neer.safetensors: no such network file (did you mean near.safetensors?)",
    "size near.safetensors --board my_bord.toml": "(did you mean my-board.toml?)",
    "generate near.safetensors --out d --plan clock.toml": "clock.toml: no such plan (did you mean clok.toml?)",
    "generate --layer dense --inputs 7 --outputs 2 --weights shap.npy --thresholds t --out d": "did you mean shape.npy",
    "verify DESIGN --data trian.npz": "trian.npz: no such data file (did you mean train.npz?)",
    "verify DESIGN --data mnist --data-dir fulll": "fulll: no such folder (did you mean full?); --data-dir must name",
    "train epochs.toml --out t": "(did you mean epoch.toml?)",
    "import onnx modle.onnx --out w": "modle.onnx: no such ONNX file (did you mean model.onnx?)",
    "import bnn-pynq ful --topology lfc --out w": "ful: no such folder of parameters (did you mean full?)",
    "import dwn naer.safetensors --classes 2 --thresholds 1 --shape 2x2 --out w": "(did you mean near.safetensors?)",
    "serial bulid --simulated": "bulid: no build.json there (did you mean build?)",
    "report DESIGN --frontier fronteir": "file frontier.json is missing (did you mean frontier?); write it with",
    # the command line itself
    "": "required: COMMAND",
    "nonsense": "invalid choice: 'nonsense'",
    "simulat d": "did you mean simulate?",
    "info": "required: NETWORK",
    "info n.safetensors extra": "unrecognized arguments: extra",
    "info n.safetensors --jason": "did you mean --json?",
    "generate n.safetensors --out": "--out: expected one argument",
    "generate n.safetensors --out d --json=yes": "ignored explicit argument 'yes'",
    # networks
    "info none": "none: no such network file",
    "info empty": "empty: not a readable network file",
    "info empty.safetensors": "empty.safetensors: not a readable network file",
    "info binary": "binary: not a readable network file",
    "info cut.safetensors": "cut.safetensors: not a readable network file",
    "info long.safetensors": "long.safetensors: not a readable network file",
    "info full": "full: a folder that is no design",
    "info n.safetensors/below": "n.safetensors/below: no such network file",
    "info /dev/null": "/dev/null",
    "export onnx none --out e.onnx": "none: no such network file",
    "export onnx n.safetensors --out full": "full: a folder is in the way",
    "export onnx n.safetensors --out e.onnx --dialect qonx": "did you mean qonnx?",
    "export tflite n.safetensors --out e": "invalid choice: 'tflite'",
    # imports
    "import onnx none.onnx --out w": "none.onnx: no such ONNX file",
    "import onnx model.onnx --out w": "model.onnx",
    "import onnx full --out w": "full",
    "import onnx empty --out w": "empty",
    "import onnx model.onnx --out w --input-range -1": "--input-range",
    "import onnx model.onnx --out w --input-range a..b": "--input-range takes two numbers",
    "import onnx model.onnx --out w --mean -0.5,x": "--mean takes numbers with commas between",
    "import onnx model.onnx --out w --std ,": "--std takes numbers with commas between",
    "import onnx model.onnx --out w --input-bits many": "invalid int value: 'many'",
    "import onnx model.onnx --out w --layout nwhc": "did you mean nhwc?",
    "import onnx model.onnx --out model.onnx": "is what is read",
    "import bnn-pynq none --topology lfc --out w": "none: no such folder of parameters",
    "import bnn-pynq text --topology lfc --out w": "text",
    "import bnn-pynq full --topology lfc --out w": "full",
    "import bnn-pynq full --topology lfcc --out w": "did you mean lfc?",
    "import bnn-pynq full --topology kind.toml --out w": "layers[0].kind must be one of dense, conv, pool",
    "import bnn-pynq full --topology rule.toml --out w": "class_rule must be one of",
    "import bnn-pynq full --topology text --out w": "text: ",
    "import bnn-pynq full --topology full --out w": "full: no such file, and not a topology",
    # training
    "train none.toml --out t": "none.toml: no such file",
    "train digit --out t": "did you mean digits?",
    "train full --out t": "full: no such file",
    "train kernal.toml --out t": "unknown key convs[0].kernal (did you mean kernel?)",
    "train epoch.toml --out t": "unknown key epoch (did you mean epochs?)",
    "train nameless.toml --out t": "missing required field `name`",
    "train type.toml --out t": "Expected `int`, got `str` - at `$.epochs`",
    "train choice.toml --out t": "loss must be one of bce, cross_entropy, squared_hinge, not 'hinge'",
    "train nan.toml --out t": "learning_rate",
    "train syntax.toml --out t": "syntax.toml: not valid TOML",
    "train twice.toml --out t": "twice.toml: not valid TOML",
    "train latin.toml --out t": "latin.toml: cannot be read as text",
    "train set.toml --out t": "no data set 'digit' (did you mean digits?)",
    "train digits --out text": "text: a file is in the way",
    "train digits --out t --epochs -1": "epochs",
    "train digits --out t --epochs 1.5": "invalid int value: '1.5'",
    "train digits --out t --seed -1": "seed",
    "train digits --out t --dataset none.npz": "none.npz: no such data file",
    "train sfc --out t": "data: no such folder; --data-dir must name the one with mnist/",
    "train sfc --out t --data-dir full": "train-images-idx3-ubyte (or .gz) is missing",
    # plans and sizes
    "generate none --out d": "none: no such network file",
    "generate n.safetensors --out d --plan none.toml": "none.toml: no such plan",
    "generate n.safetensors --out d --plan full": "full",
    "generate n.safetensors --out d --name a__core": "no two underscores in a row",
    "generate n.safetensors --out d --plan bram.toml": "memory must be one of auto, block, distributed, ultra, not '",
    "generate n.safetensors --out d --plan clok.toml": "unknown key clok_mhz (did you mean clock_mhz?)",
    "generate n.safetensors --out d --plan lanes.toml": "unknown key layers[0].lane",
    "generate n.safetensors --out d --plan zero.toml": "pe and simd must be at least 1",
    "generate n.safetensors --out d --plan other.toml": "the plan is for layers other but network",
    "generate n.safetensors --out d --plan list.toml": "layers",
    "generate n.safetensors --out d --plan board.toml": "no board is called 'pynq-z9' (did you mean pynq-z",
    "generate n.safetensors --out d --pe 1,,2": "'1,,2' is not a number",
    "generate n.safetensors --out d --pe -1": "pe and simd must be at least 1, not -1",
    "generate n.safetensors --out d --simd 1e3": "'1e3' is not a number",
    "generate n.safetensors --out d --clock-mhz -100": "clock_mhz must lie in 1..2000, not -100",
    "generate n.safetensors --out d --clock-mhz inf": "clock_mhz must lie in 1..2000, not inf",
    "generate n.safetensors --out d --data-bits -8": "data_bits must be one of",
    "generate n.safetensors --out d --target artix": "invalid choice: 'artix'",
    "generate n.safetensors --out full": "full: holds stranger",
    "generate n.safetensors --out text/d": "text: a file is in the way",
    "generate --layer dense --inputs -3 --outputs 2 --out d": "-3",
    "generate --layer dense --inputs 0 --outputs 2 --out d": "0",
    "generate --layer dense --inputs 3 --outputs 99999999 --out d": "99,999,999 outputs is too large: at most",
    "generate --layer dense --inputs 999999 --outputs 999999 --out d": "268,435,456 weights",
    "generate --layer conv2d --shape 4,4,999999 --outputs 9999 --out d": "is too large",
    "generate --layer conv2d --shape 4,4 --outputs 2 --out d": "--shape takes 3 numbers, not 2",
    "generate --layer conv2d --shape 4,4,1 --outputs 2 --kernel 9 --out d": "kernel",
    "generate --layer conv2d --shape 4,4,1 --outputs 2 --padding -1 --out d": "padding",
    "generate --layer conv2d --shape 4,4,1 --outputs 2 --stride 0 --out d": "stride",
    "generate --layer conv2d --shape 4,4,1 --outputs 2 --inputs 3 --out d": "--inputs does not describe a conv2d layer",
    "size n.safetensors --board pynq-z9": "no board is called 'pynq-z9' (did you mean pynq-z",
    "size n.safetensors --board pynq-z2 --target-fps -5": "-5",
    "size n.safetensors --board pynq-z2 --target-fps nan": "nan",
    "size n.safetensors --board pynq-z2 --target-fps inf": "inf",
    "size n.safetensors --board pynq-z2 --max-luts -1": "1",
    "size n.safetensors --board pynq-z2 --max-luts 10": "10",
    "size n.safetensors --board pynq-z2 --target-fps 1e12": "frames/s",
    "size n.safetensors --board pynq-z2 --clock-mhz 0": "clock_mhz must lie in 1..2000",
    "size n.safetensors": "required: --board",
    "explore n.safetensors --board zzz --out e": "no board is called 'zzz'",
    "explore n.safetensors --board pynq-z2 --out text": "text: a file is in the way",
    "explore digits-luts --accuracy --levels 3-4 --out e": "--levels is a list of whole numbers such as 3,4",
    "explore digits-luts --accuracy --widths 3,x --out e": "--widths is a list of whole numbers",
    "search digits --board icebreaker --budget 4000 --out e": "such as 5000luts or 100000fps, not '4000'",
    "search digits --board icebreaker --budget 9luts --budget 8luts --out e": "--budget 8luts is the second of its",
    "search digits --board zzz --budget 9luts --out e": "no board is called 'zzz'",
    "search digit --board icebreaker --budget 9luts --out e": "did you mean digits",
    "search digits --board icebreaker --budget 9000luts --out e": "max_luts must lie in 1..5,280",
    "search digits --board icebreaker --budget 4000luts --depths 1,x --out e": "--depths is a list of numbers",
    "search digits --board icebreaker --budget 4000luts --scales 0,1 --out e": "scales are factors of widths, above 0",
    "search digits --board icebreaker --budget 4000luts --weights 7 --out e": "weights, bits of any layer's",
    "search digits --board icebreaker --budget 4000luts --population 1 --out e": "a population of 2 or more",
    "search digits-luts --board icebreaker --budget 4000luts --out e": "bitwright explore --accuracy measures",
    "search digits --board icebreaker --budget 9000000fps --out e": "ask for a lower rate",
    # designs
    "simulate none": "none: no manifest.json there",
    "simulate d": "d: no manifest.json there",
    "simulate DESIGN --seed x": "invalid int value: 'x'",
    "simulate DESIGN --simulator modelsim": "invalid choice: 'modelsim'",
    "synth none": "none: no manifest.json there",
    "synth DESIGN": "say for which family",
    "synth DESIGN --family ice4": "invalid choice: 'ice4'",
    "verify none --data digits": "none: no manifest.json there",
    "verify DESIGN --data digit": "no data set 'digit' (did you mean digits?)",
    "verify DESIGN --data random:x": "random frames take a seed",
    "verify DESIGN --data random:-1": "random frames take a seed",
    "verify DESIGN --data none.npz": "none.npz: no such data file",
    "verify DESIGN --data text.npz": "text.npz: no such data file",
    "verify DESIGN --data cut.npz": "cut.npz: not a readable .npz",
    "verify DESIGN --data pickle.npz": "pickle.npz: not a readable .npz",
    "verify DESIGN --data huge.npy": "huge.npy: not a readable .npy",
    "verify DESIGN --data train.npz": "train.npz: has no x_test",
    "verify DESIGN --data float.npz": "float.npz: x_test holds fractions",
    "verify DESIGN --data label.npz": "label 9, but network random knows",
    "verify DESIGN --data shape.npy": "data set shape: frames have shape (2, 7)",
    "verify DESIGN --data mnist": "data: no such folder",
    "verify DESIGN --data mnist --data-dir full": "t10k-images-idx3-ubyte (or .gz) is missing",
    "verify DESIGN --data cifar10 --data-dir full": "test_batch.bin is missing",
    "verify DESIGN --data random --frames -1": "'-1' is not a number of frames",
    "verify DESIGN --data random --waves": "--waves keeps the signals of one frame; say which with --frame",
    "verify DESIGN --data random --frame 1 --frames 3": "give --frame for one, or --frames",
    "verify DESIGN --data x.npz --frame 2": "there is no frame 2 in x, which has 2, from 0 on",
    "verify DESIGN --data x.npz --frame -1": "there is no frame -1 in x",
    "simulate DESIGN --bench registrs": "no bench 'registrs' (did you mean registers?)",
    "generate n.safetensors --out d --testbench d/tb": "d/tb: lies in the design's folder",
    "verify DESIGN --data random --jobs 0": "jobs must be at least 1, not 0",
    "verify DESIGN --data random --jobs -2": "jobs must be at least 1, not -2",
    "verify DESIGN --data x.npz --frames 99": "99 frames asked for, but the held-out set of x has 2",
    "verify DESIGN --data random --network none": "none: no such network file",
    "verify DESIGN --data random --network small.safetensors": "dense_4x2",
    # boards
    "build none --board pynq-z2": "none: no manifest.json there",
    "build DESIGN --board pynqz2": "did you mean pynq-z2?",
    "build DESIGN --board zybo-z7-20": "nothing is built for zybo-z7-20",
    "build DESIGN --board ulx3s-85f --seeds 0 --out b": "at least 1 placement is needed, not 0",
    "build DESIGN --board pynq-z2 --clock-mhz nan --out b": "nan",
    "build DESIGN --board pynq-z2 --clock-mhz -1 --out b": "-1",
    "build DESIGN --board pynq-z2 --out text": "text: a file is in the way",
    "program DESIGN --board pynq-z2": "say where the board is with --host",
    "program DESIGN --board arty --jtag": "no board is called 'arty'",
    "program DESIGN --board arty --host h": "no board is called 'arty'",
    "program DESIGN --board pynq-z2 --flash --host h": "--flash and --cable-serial go with --jtag",
    "program DESIGN --board pynq-z2 --simulated --host h": "say where the board is",
    "program DESIGN --board pynq-z2 --simulated --pynq none": "none/bin/python3 is missing",
    "program DESIGN --board pynq-z2 --host h --port x": "'x' is not a port",
    "program DESIGN --board pynq-z2 --host h --port 99999": "'99999' is not a port from 1 to 65,535",
    "program DESIGN --board pynq-z2 --host h --timeout nan": "'nan' is not a positive number of seconds",
    "program DESIGN --board pynq-z2 --host h --timeout -1": "'-1' is not a positive number of seconds",
    "program DESIGN --board pynq-z2 --host h --batch-frames 0": "'0' is not a number of frames",
    "serial full --simulated --timeout 0": "'0' is not a positive number of seconds",
    "program DESIGN --board pynq-z2 --jtag": "there is no bitstream",
    "serial none --simulated": "none: no build.json there",
    "serial full --port /dev/none": "full: no build.json there",
    "serial full": "--port --simulated is required",
    "serial full --simulated --port x": "not allowed with argument",
    # reports and pages
    "report none": "none: no manifest.json there",
    "report DESIGN --data digit": "no data set 'digit' (did you mean digits?)",
    "report DESIGN --data x.npz --frame 2 --no-waves": "there is no frame 2 in x, which has 2, from 0 on",
    "report DESIGN --data x.npz --frame -1 --no-waves": "there is no frame -1 in x, which has 2, from 0 on",
    "report DESIGN --frame one": "invalid int value: 'one'",
    "report DESIGN --board pynqz2 --no-waves": "did you mean pynq-z",
    "report DESIGN --frontier full": "full: file frontier.json is missing; write it with: bitwright explore",
    "report DESIGN --out text": "text: a file is in the way",
    "report DESIGN --frames 3": "unrecognized arguments: --frames 3 (did you mean --frame?)",
    "play none": "none: no manifest.json there",
    "play DESIGN --data digit": "no data set 'digit' (did you mean digits?)",
    "play DESIGN --port -1": "a port is a number from 0 to 65,535, not -1",
    "play DESIGN --port 65536": "a port is a number from 0 to 65,535, not 65536",
    "boards pynq-z2": "unrecognized arguments: pynq-z2",
    "demo --out text": "text: a file is in the way",
}


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong") / "d"
    random_network(1).save(folder.parent / "n.safetensors")
    assert main(["generate", str(folder.parent / "n.safetensors"), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("BITWRIGHT_DATA", "BITWRIGHT_PYNQ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BITWRIGHT_CACHE", "/proc/bitwright")  # a build of a simulator would be told
    network = random_network(1)
    network.save("n.safetensors")
    dense_layer(4, 2, seed=0).save("small.safetensors")
    for name, content in FILES.items():
        if content is not None:
            Path(name).write_bytes(content)
    Path("cut.safetensors").write_bytes(Path("n.safetensors").read_bytes()[:200])
    Path("full").mkdir()
    Path("full/stranger").write_text("mine")
    for name in ("design/manifest.json", "out/design/manifest.json", "build/build.json", "frontier/frontier.json"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text("{}")
    Path("desing-notes").write_text("nearer by its name, but no design")
    Path("my-board.toml").write_text("")
    network.save("near.safetensors")
    x = np.zeros((2, *network.input.shape), np.uint8)
    np.savez("x.npz", x_test=x)
    Path("cut.npz").write_bytes(Path("x.npz").read_bytes()[:60])
    np.savez("label.npz", x_test=x, y_test=np.array([0, 9]))
    np.savez("float.npz", x_test=x + 0.5)
    np.savez("train.npz", x_train=x, y_train=np.array([0, 1]))
    np.savez("pickle.npz", x_test=np.array([{}, {}]))
    with Path("huge.npy").open("wb") as file:  # a header that promises 2^60 values
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (1 << 60,)})
    np.save("shape.npy", np.zeros((2, 7), np.uint8))


def failure(capsys, argv: list[str]) -> tuple[str, str]:
    """What goes to standard output and, but for progress, to standard error."""
    capsys.readouterr()
    assert main(argv) == 2
    streams = capsys.readouterr()
    lines = [line for line in streams.err.splitlines() if not re.search(r": \d+/\d+$", line)]
    assert len(lines) == 1, streams.err
    return streams.out, lines[0]


def test_there_are_ninety():
    assert len(WRONG) >= 90


@pytest.mark.parametrize("command", WRONG)
def test_one_sentence_and_status_2(capsys, design, command):
    argv = command.replace("DESIGN", str(design)).split()
    before = sorted(path for path in Path().rglob("*"))
    out, line = failure(capsys, argv)
    assert out == "" and line.startswith("bitwright: ") and WRONG[command] in line
    for strange in ("Traceback", "Error(", "<class", "object at 0x", "errno", "None"):
        assert strange not in line
    assert sorted(path for path in Path().rglob("*")) == before  # nothing is left
    if argv and "--json=yes" not in argv:
        out, again = failure(capsys, [*argv, "--json"])
        assert json.loads(out)["error"] == again.removeprefix("bitwright: ")
