"""Design folders that somebody else made to do harm: every command refuses them, in one sentence, and does nothing."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from safetensors.numpy import load as parse
from safetensors.numpy import save as render

import bitwright as bw
from bitwright.cli import main, parser
from bitwright_boards.deployment import DESIGN, check_description, describe
from bitwright_boards.driver import Description, WrongOverlay
from bitwright_core.board_build import BUILD_FILE, DESIGN_FOLDER, SerialBuild, load_build
from bitwright_core.design import MANIFEST, Design, Manifest, file_digest
from bitwright_core.errors import BoardError, DesignError, NetworkError, PlanError
from bitwright_core.manifest import read_manifest
from bitwright_core.network import load
from bitwright_core.plan import Plan
from bitwright_core.verilog_check import check_verilog
from tests.sw.networks import random_network

# every command that takes a design, a build or a network, with one in the place of {}
COMMANDS = {
    "info": ["info {}"],
    "export": ["export onnx {}/network.safetensors --out x.onnx"],
    "size": ["size {} --board pynq-z2"],
    "explore": ["explore {} --board pynq-z2 --out frontier"],
    "generate": ["generate {} --out new"],
    "simulate": ["simulate {}", "simulate {} --simulator icarus --waves"],
    "verify": ["verify {} --data random --frames 2"],
    "synth": ["synth {} --family xc7", "synth {} --family ecp5 --place"],
    "weights": ["weights {} {}/network.safetensors --out x.load"],
    "build": ["build {} --board pynq-z2 --no-vivado --out built", "build {} --board icebreaker --out built"],
    "program": [
        "program {} --board pynq-z2 --simulated",
        "program {} --board pynq-z2 --host 127.0.0.1 --port 9",
        "program {} --board ulx3s-85f --jtag",
    ],
    "report": ["report {} --out new"],
    "play": ["play {} --port 0"],
    "serial": ["serial {} --simulated", "serial {} --port /dev/null"],
}
OTHERS = {"train", "search", "import", "boards", "demo"}
# which take --trust-verilog
WITH_VERILOG = ("simulate", "verify", "report", "play", "synth", "build", "program", "serial")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Design:
    network = random_network(3, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3, labels=("a", "b", "c"))
    return bw.generate(
        network, bw.size(network, cycles=60, scores=True), tmp_path_factory.mktemp("hostile") / "design", name="random"
    )


@pytest.fixture
def folder(original, tmp_path, monkeypatch) -> Path:
    """A copy of the design, in a build folder as well, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "d", tmp_path / DESIGN_FOLDER):
        place.mkdir()
        for file in original.folder.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
    build = SerialBuild(
        format=1,
        board="icebreaker",
        top="bitwright_random_icebreaker",
        verilog="top.v",
        constraints="pins.pcf",
        bitstream="random.bin",
        built=True,
        oscillator_mhz=12.0,
        clock_mhz=12.0,
        baud=1_000_000,
        device="up5k sg48",
    )
    (tmp_path / BUILD_FILE).write_bytes(msgspec.json.encode(build))
    (tmp_path / "top.v").write_text("module bitwright_random_icebreaker(); endmodule\n")
    (tmp_path / DESIGN).write_text(json.dumps(describe(original)))
    return tmp_path / "d"


def put(folder: Path, name: str, content: bytes) -> None:
    """`content` as file `name` of the design, and of that in the build folder."""
    for place in (folder, folder.parent / DESIGN_FOLDER):
        (place / name).write_bytes(content)


def tree(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): "link"
        if file.is_symlink()
        else file_digest(file)
        if file.is_file()
        else "folder"
        for file in sorted(folder.rglob("*"))
        if file.is_symlink() or not file.is_fifo()
    }


def refused(line: str, folder: Path, capsys, expected: str = "") -> None:
    """Runs a command line on `folder` (its parent, for serial): one sentence, status 2, and nothing changed."""
    target = folder.parent if line.startswith("serial") else folder
    before = tree(folder.parent)
    capsys.readouterr()
    try:
        status = main(line.replace("{}", str(target)).split())
    except SystemExit as stop:
        status = int(stop.code or 0)
    told = capsys.readouterr()
    assert status == 2, (line, told)
    assert told.out == "" and "Traceback" not in told.err
    errors = [text for text in told.err.splitlines() if text.startswith("bitwright: ")]
    assert len(errors) == 1 and re.search(expected, errors[0]), (line, told.err)
    assert tree(folder.parent) == before, f"{line} wrote something"


def test_every_command_is_in_the_table():
    (commands,) = (a for a in parser()._actions if a.dest == "command")
    assert set(commands.choices) == set(COMMANDS) | OTHERS
    for name, command in commands.choices.items():
        assert ("--trust-verilog" in command._option_string_actions) == (name in WITH_VERILOG), name


EVIL_TEXTS = [
    "x\n!touch CANARY",
    "; exec touch CANARY",
    "../../x",
    "x y",
    'x"y',
    "x$(touch CANARY)",
    "[exec id]",
    "x" * 300,
    "",
    "ä",
    "-x",
]


def evil_manifests(m: Manifest) -> dict[str, Manifest]:
    """Manifests with one field out of bounds, sealed as the attacker would."""
    found: dict[str, Manifest] = {}
    for text in EVIL_TEXTS:
        for field in ("top", "name", "network_digest", "digest", "target", "network", "plan"):
            found[f"{field} {text[:20]!r}"] = replace(m, **{field: text})
    for name in (
        "../evil.v",
        "a\n!touch CANARY.v",
        "-f.v",
        "evil.cpp",
        "evil.so",
        "/etc/passwd",
        ".x.v",
        "a;b.v",
        "",
        "a b.v",
    ):
        found[f"verilog {name!r}"] = replace(m, verilog=[name])
        found[f"models {name!r}"] = replace(m, simulation_models=[name])
    found["no verilog"] = replace(m, verilog=[])
    found["verilog twice"] = replace(m, verilog=[*m.verilog, *m.verilog])
    found["verilog is the manifest"] = replace(m, verilog=[MANIFEST])
    probe, score = m.probes[0], m.score_probe
    for path in (
        'core.x; endmodule module e; initial $system("touch CANARY")',
        "a b",
        "x);",
        "x\n`include",
        "",
        "a..b",
        ".a",
        "$root.x",
    ):
        found[f"probe valid {path!r}"] = replace(m, probes=[replace(probe, valid=path), *m.probes[1:]])
        found[f"probe data {path!r}"] = replace(m, probes=[replace(probe, data=path), *m.probes[1:]])
        found[f"score valid {path!r}"] = replace(m, score_probe=replace(score, valid=path))
        found[f"score data {path!r}"] = replace(m, score_probe=replace(score, data=path))
    for number in (0, -1, 65, 1 << 40, 1 << 80, 1.5, "1"):
        found[f"probe bits {number}"] = replace(m, probes=[replace(probe, bits=number), *m.probes[1:]])
        found[f"score bits {number}"] = replace(m, score_probe=replace(score, bits=number))
    for number in (0, -1, 1 << 62, 1 << 80):
        found[f"probe pe {number}"] = replace(m, probes=[replace(probe, pe=number), *m.probes[1:]])
        found[f"lanes {number}"] = replace(m, score_probe=replace(score, lanes=number))
        found[f"interval {number}"] = replace(m, interval_cycles=number)
        found[f"latency {number}"] = replace(m, latency_cycles=number)
        found[f"outputs {number}"] = replace(m, output=replace(m.output, outputs=number))
        for field in ("values", "value_bits", "data_bits"):
            found[f"{field} {number}"] = replace(m, input=changed(m.input, **{field: number}))
        for field in ("inputs", "outputs", "pe", "simd", "lanes", "pixels"):
            layers = [replace(m.layers[0], **{field: number}), *m.layers[1:]]
            found[f"layer {field} {number}"] = replace(m, layers=layers)
    for number in (0.0, -1.0, 1e308):
        found[f"clock {number}"] = replace(m, clock_mhz=number)
    for registers in (
        {},
        {"X; exec": 0},
        {**m.registers, "CONTROL": -1},
        {**m.registers, "CONTROL": 1 << 40},
        {**m.registers, "x\n": 4},
    ):
        found[f"registers {registers}"[:60]] = replace(m, registers=registers)
    found["layer name"] = replace(m, layers=[replace(m.layers[0], name="x\ny"), *m.layers[1:]])
    found["layer kind"] = replace(m, layers=[replace(m.layers[0], kind="x\ny"), *m.layers[1:]])
    found["no layers"] = replace(m, layers=[], probes=[])
    found["a million layers"] = replace(m, layers=m.layers * 600)
    found["version"] = replace(m, bitwright="\x1b[31m")
    found["files"] = replace(m, files={**m.files, "../x": "0" * 64})
    found["digests"] = replace(m, files={})
    return found


def test_no_manifest_with_a_field_out_of_bounds_is_taken(folder, original):
    good = original.manifest
    put(folder, MANIFEST, good.to_bytes())
    _ = Design.load(folder).simulation_sources
    evil = evil_manifests(good)
    assert len(evil) > 150
    for what, manifest in evil.items():
        put(folder, MANIFEST, manifest.to_bytes())
        with pytest.raises(DesignError) as caught:
            _ = Design.load(folder).simulation_sources
        assert "\n" not in str(caught.value), what
    # the keys that the seal is over are all of them
    put(folder, MANIFEST, good.to_bytes().replace(b'"interval_cycles": ', b'"interval_cycles": 1'))
    with pytest.raises(DesignError, match="was altered after it was generated; generate the design again"):
        Design.load(folder)


@pytest.mark.parametrize(
    "what",
    [
        "top 'x\\n!touch CANARY'",
        "top '; exec touch CANARY'",
        "top '../../x'",
        "name '; exec touch CANARY'",
        "name '../../x'",
        "verilog 'a\\n!touch CANARY.v'",
        "verilog '../evil.v'",
        "probe valid 'core.x; endmodule module e; initial $system(\"touch CANARY\")'",
        "registers {}",
        "outputs 0",
        "data_bits 4611686018427387904",
    ],
)
def test_every_command_refuses_a_hostile_manifest(folder, original, capsys, what):
    put(folder, MANIFEST, evil_manifests(original.manifest)[what].to_bytes())
    for name, lines in COMMANDS.items():
        for line in lines:
            if name == "export" or (
                what in ("registers {}", "outputs 0") and "{} --out new" in line + "|info {}|size {}|explore {}"
            ):
                continue  # reads the network file alone
            if name in ("info", "size", "explore", "generate") and what.startswith(
                ("registers", "outputs", "data_bits")
            ):
                continue
            refused(line, folder, capsys)


def raw_manifests(good: bytes) -> dict[str, bytes]:
    return {
        "nested": b'{"format": 2, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "nested objects": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        "a list": b"[1]",
        "empty": b"",
        "no text": b"\xff\xfe\x00",
        "not a number": good.replace(b'"clock_mhz": 100.0', b'"clock_mhz": NaN'),
        "too large": good.replace(b'"clock_mhz": 100.0', b'"clock_mhz": 1e999'),
        "an unknown key": good.replace(b'"format": 2', b'"format": 2, "extra": 1'),
        "thousands of digits": good.replace(b'"format": 2', b'"format": ' + b"9" * 9000),
        "an old format": good.replace(b'"format": 2', b'"format": 1'),
        "a long file": good + b" " * (17 << 20),
    }


@pytest.mark.parametrize("what", raw_manifests(b""))
def test_every_command_refuses_a_damaged_manifest(folder, original, capsys, what):
    put(folder, MANIFEST, raw_manifests(original.manifest.to_bytes())[what])
    with pytest.raises(DesignError):
        read_manifest(folder)
    for line in ("info {}", "verify {} --data random", "serial {} --simulated", "generate {} --out new"):
        refused(line, folder, capsys)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "missing", "loop"])
@pytest.mark.parametrize("name", ["manifest.json", "plan.toml", "network.safetensors", "bitwright_random.v"])
def test_files_that_are_none_of_the_folders_own_are_refused(folder, capsys, kind, name):
    for place in (folder, folder.parent / DESIGN_FOLDER):
        file = place / name
        content = file.read_bytes()
        file.unlink()
        if kind == "link":
            (folder.parent / f"outside-{name}").write_bytes(content)
            file.symlink_to(folder.parent / f"outside-{name}")
        elif kind == "pipe":
            os.mkfifo(file)
        elif kind == "folder":
            file.mkdir()
        elif kind == "loop":
            file.symlink_to(file)
    # without a manifest `info` takes the folder for that of a training run
    first = [] if (name, kind) == (MANIFEST, "missing") else ["info {}"]
    for line in (*first, "synth {} --family xc7", "serial {} --simulated"):
        refused(line, folder, capsys)


def test_a_link_within_the_folder_is_followed(folder):
    (folder / "plan.toml").rename(folder / "mine.toml")
    (folder / "plan.toml").symlink_to("mine.toml")
    assert Design.load(folder).plan.clock_mhz == 100


def with_file(folder: Path, name: str, content: bytes) -> None:
    """Another plan or network file, with all the digests that the attacker can make."""
    put(folder, name, content)
    manifest = read_manifest(folder)
    put(folder, MANIFEST, replace(manifest, files={**manifest.files, name: file_digest(folder / name)}).to_bytes())


EVIL_PLANS: dict[str, Callable[[str], str]] = {
    "clock nan": lambda text: text.replace("clock_mhz = 100.0", "clock_mhz = nan"),
    "clock inf": lambda text: text.replace("clock_mhz = 100.0", "clock_mhz = inf"),
    "pe": lambda text: re.sub(r"pe = \d+", f"pe = {1 << 60}", text),
    "digits": lambda text: re.sub(r"pe = \d+", "pe = " + "9" * 9000, text),
    "negative": lambda text: re.sub(r"simd = \d+", "simd = -1", text),
    "layer": lambda text: text.replace('"layer0"', '"x\\n!touch CANARY"'),
    "board": lambda text: text.replace('board = ""', 'board = "../x"'),
    "nested": lambda text: text + "x = " + "[" * 100_000 + "]" * 100_000,
    "no text": lambda text: text + "\x00",
    "data_bits": lambda text: text.replace("data_bits = 64", f"data_bits = {1 << 40}"),
}


@pytest.mark.parametrize("what", EVIL_PLANS)
def test_hostile_plans(folder, capsys, what):
    text = (folder / "plan.toml").read_text()
    evil = EVIL_PLANS[what](text)
    assert evil != text
    (folder.parent / "evil.toml").write_text(evil)
    with pytest.raises(PlanError):
        Plan.load(folder.parent / "evil.toml")
    with_file(folder, "plan.toml", evil.encode())
    refused("generate {} --plan evil.toml --out new", folder, capsys)
    for line in ("verify {} --data random", "synth {} --family xc7", "build {} --board pynq-z2 --no-vivado --out b"):
        refused(line, folder, capsys)


def evil_networks(raw: bytes) -> dict[str, bytes]:
    tensors = parse(raw)
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["bitwright"])

    def made(**changes: object) -> bytes:
        return render(tensors, metadata={"bitwright": json.dumps({**header, **changes})})

    layer = header["layers"][0]
    return {
        "name": made(name="../x\n!touch CANARY"),
        "escape": made(labels=["\x1b[31m", "b", "c"]),
        "newline": made(labels=["a\nb", "b", "c"]),
        "label": made(labels=["a" * 100_000, "b", "c"]),
        "layer": made(layers=[{**layer, "name": "x;y"}, *header["layers"][1:]]),
        "inputs": made(layers=[{**layer, "inputs": 1 << 62}, *header["layers"][1:]]),
        "shape": made(input_shape=[1 << 40]),
        "shapes": made(input_shape=[1 << 20] * 100_000),
        "bits": made(input_bits=1 << 40),
        "kind": made(layers=[{**layer, "kind": "x"}]),
        "pool": made(
            layers=[
                {
                    "kind": "max_pool2d",
                    "name": "p",
                    "shape": [2, 3, 1],
                    "kernel": [1, 1],
                    "stride": [1, 1],
                    "padding": [1 << 40, 0, 0, 0],
                }
            ]
        ),
        "nested": render(tensors, metadata={"bitwright": "[" * 200_000}),
        "version": made(version=10**400),
    }


@pytest.mark.parametrize(
    "what",
    [
        "name",
        "escape",
        "newline",
        "label",
        "layer",
        "inputs",
        "shape",
        "shapes",
        "bits",
        "kind",
        "pool",
        "nested",
        "version",
    ],
)
def test_hostile_networks(folder, capsys, what):
    evil = evil_networks((folder / "network.safetensors").read_bytes())[what]
    with_file(folder, "network.safetensors", evil)
    with pytest.raises(NetworkError):
        load(folder / "network.safetensors")
    for line in (
        "info {}",
        "info {}/network.safetensors",
        "export onnx {}/network.safetensors --out x.onnx",
        "synth {} --family xc7",
        "generate {}/network.safetensors --out new",
        "verify {} --data random",
        "serial {} --simulated",
    ):
        refused(line, folder, capsys)


EVIL_VERILOG = {
    "system": 'initial $system("touch CANARY");',
    "several lines": 'initial\n $system\n ("touch CANARY");',
    "readmem": 'reg [7:0] m [0:9]; initial $readmemh("/etc/passwd", m);',
    "open": 'integer f; initial f = $fopen("CANARY", "w");',
    "dump": 'initial $dumpfile("CANARY");',
    "dpi": 'import "DPI-C" function int system(string s);',
    "dpi with a comment": 'import /* \n */ "DPI-C" function int system(string s);',
    "old dpi": 'import "DPI" function int system(string s);',
    "c": 'initial $c("system(\\"touch CANARY\\");");',
    "c with a number": 'initial $c1("system(\\"touch CANARY\\")");',
    "include": '`include "/etc/passwd"',
    "macro": "`define S $sys``tem\ninitial `S(1);",
    "macro of a macro": "`define A system\n`define B $``A\ninitial `B(1);",
    "systemc": '`systemc_implementation\nint x = system("touch CANARY");\n`verilog',
    "config": "`verilator_config\nlint_off\n",
    "behind a number": 'initial #8\'h ff$system("touch CANARY");',
    "behind a based number": 'initial #8\'hff$system("touch CANARY");',
    "behind an escape in a string": 'initial begin $display("a\\t");$system("touch CANARY");end',
    "behind a comment": 'initial /* \\a */$system("touch CANARY");',
    "behind a line comment": '// \\\ninitial $system("touch CANARY");',
    "in a comment that is none": '/* "/* " */ initial $system("x"); // "*/',
    "escaped": 'initial \\$system ("touch CANARY");',
    "escaped readmem": 'reg [7:0] m [0:9]; initial \\$readmemh ("/etc/passwd", m);',
    "named like Amaranth's": 'initial \\$signal_system ("x");',
    "a nul": "wire a;\x00 wire b;",
    "behind a backslash": "wire \\\\$system ;",
    "behind a carriage return": 'initial\r$system("touch CANARY");',
    "finish": "initial $finish;",
}


@pytest.mark.parametrize("what", EVIL_VERILOG)
def test_verilog_that_could_run_something_is_refused(tmp_path, what):
    file = tmp_path / "x.v"
    file.write_text(f"module m();\n{EVIL_VERILOG[what]}\nendmodule\n", newline="")
    with pytest.raises(DesignError, match=r"x\.v, line \d: .* is nothing that bitwright writes.*--trust-verilog"):
        check_verilog(file)


@pytest.mark.parametrize(
    "text",
    [
        "wire \\a$system ;",
        "wire [2:0] \\batch$44 ;",
        "  reg [2:0] \\$signal  = 3'h0;",
        "wire \\$signal$5 ;",
        "reg [3:0] \\$signature__addr  = 4'h0;",
        "x = $signed(y);",
        "wire \\m.weights$1.w_data ;\nassign z = $unsigned(\\$like );",
        "// import of DPI and of 5 $ and a \\ in a comment",
    ],
)
def test_verilog_that_describes_hardware_is_taken(tmp_path, text):
    (tmp_path / "x.v").write_text(text + "\n")
    check_verilog(tmp_path / "x.v")


def test_every_command_refuses_verilog_that_could_run_something(folder, capsys, monkeypatch, tmp_path_factory):
    pynq = tmp_path_factory.mktemp("pynq")
    (pynq / "bin").mkdir()
    (pynq / "bin" / "python3").write_text("#!/bin/sh\nexit 0\n")
    (pynq / "bin" / "python3").chmod(0o755)
    monkeypatch.setenv("BITWRIGHT_PYNQ", str(pynq))
    file = folder / "bitwright_random.v"
    put(folder, file.name, file.read_bytes() + b'module extra(); initial $system("touch CANARY"); endmodule\n')
    for name in WITH_VERILOG:
        for line in COMMANDS[name]:
            if "--host" in line or "--jtag" in line or "--port" in line:
                continue  # the board has its bitstream; no tool reads the Verilog
            refused(line, folder, capsys, r"line \d+: \$system is nothing that bitwright writes")
    assert [one.name for one in Design.load(folder, trust_verilog=True).verilog] == [file.name]


def test_the_top_of_a_build_is_held_to_the_same(folder, capsys):
    (folder.parent / "top.v").write_text('module t(); initial $system("touch CANARY"); endmodule\n')
    refused("serial {} --simulated", folder, capsys, r"top\.v, line 1: \$system is nothing")


def test_trust_reaches_the_design(folder, monkeypatch, capsys):
    trusted = []

    def record(where: object, *, trust_verilog: bool = False) -> Design:
        trusted.append(trust_verilog)
        raise DesignError("seen")

    monkeypatch.setattr(Design, "load", staticmethod(record))
    for name in WITH_VERILOG:
        refused(COMMANDS[name][0], folder, capsys, "seen")
        refused(COMMANDS[name][0] + " --trust-verilog", folder, capsys, "seen")
    assert trusted == [False, True] * len(WITH_VERILOG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("verilog", "../d/bitwright_random.v"),
        ("verilog", "/etc/passwd"),
        ("verilog", "x.cpp"),
        ("bitstream", "../x"),
        ("constraints", "a/b"),
        ("top", "x y"),
        ("board", "\x1b[0m"),
        ("baud", 0),
        ("baud", 1 << 60),
        ("clock_mhz", 0.0),
        ("clock_mhz", 1e300),
        ("device", "x\ny"),
        ("format", 10**400),
        ("verilog", "missing.v"),
    ],
)
def test_hostile_builds(folder, capsys, key, value):
    file = folder.parent / BUILD_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(BoardError):
        load_build(folder.parent)
    refused("serial {} --simulated", folder, capsys)
    refused("serial {} --port /dev/null", folder, capsys)


@pytest.mark.parametrize(
    "change",
    [
        {"registers": {}},
        {"registers": {"CONTROL": 1 << 40}},
        {"shape": [1 << 40]},
        {"name": "../x"},
        {"output": {}},
        {"extra": 1},
    ],
)
def test_the_drivers_description_is_the_designs(folder, original, capsys, change):
    check_description(folder.parent, original)
    (folder.parent / DESIGN).write_text(json.dumps({**describe(original), **change}))
    with pytest.raises(BoardError, match=r"design\.json is not of the design in .*; build it again"):
        check_description(folder.parent, original)
    refused("serial {} --simulated", folder, capsys)
    (folder.parent / DESIGN).write_text("[" * 100_000)
    with pytest.raises(BoardError, match="damaged"):
        check_description(folder.parent, original)
    with pytest.raises(WrongOverlay, match="cannot be read"):
        Description(folder.parent)


def test_labels_are_text_of_one_line():
    network = random_network(1, labels=("null", "stra\N{LATIN SMALL LETTER SHARP S}e 1", "\u96f6"))
    assert network.labels[2] == "\u96f6"
    for label in ("a\tb", "\x1b[31m", "\u202egpj", "x" * 1001, "\ud800"):
        with pytest.raises(NetworkError, match="must be at most 1000 characters that can be printed, all on one line"):
            random_network(1, labels=(label, "b", "c"))
    assert np.all(network.last.output.scale >= 0)
