# amaranth: UnusedElaboratable=no
"""Boards of a user's own: a .toml file in the place of a name, from size to build, and what each mistake in it says."""

import ast
import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import tomli_w

import bitwright as bw
from bitwright.cli import main
from bitwright.open_board import open_board
from bitwright_boards import board_names, load_board
from bitwright_boards.board import Board, BoardPin
from bitwright_core.errors import BoardError
from bitwright_hw.serial.build import write_sources
from tests.sw.networks import random_network


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_network(31, shape=(3, 3), bits=8, levels=1, hidden=(8,), classes=3).save("n.safetensors")


def text_of(board: str) -> str:
    return (resources.files("bitwright_boards") / "data" / f"{board}.toml").read_text()


def own(tmp_path, board: str, *changes: tuple[str, str]):
    """File my-board.toml: a board of ours with changes."""
    text = text_of(board)
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file = tmp_path / "my-board.toml"
    file.write_text(text)
    return str(file)


def test_sized_generated_and_built_for_a_serial_board(tmp_path, capsys):
    file = own(tmp_path, "ulx3s-85f", ("G2", "P6"), ("oscillator_mhz = 25.0", "oscillator_mhz = 50.0"), ("85k", "25k"))
    assert main(["size", "n.safetensors", "--board", file, "--out", "p.toml", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["board"] == "my-board"
    assert main(["generate", "n.safetensors", "--plan", "p.toml", "--out", "d"]) == 0  # without the file at hand
    design = bw.Design.load("d")
    assert design.plan.target == "ecp5" and design.plan.board == ""
    build = write_sources(design, open_board(load_board(file)), tmp_path / "b")
    assert (build.board, build.oscillator_mhz, build.device) == ("my-board", 50.0, "25k package CABGA381 speed 6")
    lines = (tmp_path / "b" / "pins.lpf").read_text().splitlines()
    assert 'LOCATE COMP "clk" SITE "P6";' in lines and 'FREQUENCY PORT "clk" 50 MHZ;' in lines


def test_sized_and_built_for_a_board_with_vivado(tmp_path, capsys):
    file = own(tmp_path, "pynq-z2", ("xc7z020clg400-1", "xc7z010clg400-1"), ("luts = 53200", "luts = 17600"))
    assert main(["size", "n.safetensors", "--board", file, "--out", "p.toml"]) == 0
    assert "of my-board" in capsys.readouterr().out
    assert main(["generate", "n.safetensors", "--plan", "p.toml", "--out", "d"]) == 0
    capsys.readouterr()
    assert main(["build", "d", "--board", file, "--no-vivado", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["board"], values["part"]) == ("my-board", "xc7z010clg400-1")
    assert "xc7z010clg400-1" in (tmp_path / "d-my-board" / "build.tcl").read_text()
    assert main(["program", "d", "--board", file, "--jtag", "--flash"]) == 2
    assert "my-board does not boot from a bitstream in flash" in capsys.readouterr().err


def test_a_network_that_does_not_fit(tmp_path, capsys):
    file = own(tmp_path, "pynq-z2", ("luts = 53200", "luts = 90"))
    assert main(["size", "n.safetensors", "--board", file]) == 2
    assert "does not fit the 72 LUTs" in capsys.readouterr().err


WRONG = {
    "lutz": (("luts = 83640", "lutz = 83640"), "unknown key resources.lutz (did you mean luts?)"),
    "no luts": (("luts = 83640\n", ""), "missing required field `luts`"),
    "a text": (("luts = 83640", 'luts = "many"'), "Expected `int`, got `str` - at `$.resources.luts`"),
    "no luts at all": (("luts = 83640", "luts = 0"), "Expected `int` >= 1 - at `$.resources.luts`"),
    "target": (
        ('target = "ecp5"', 'target = "ecp6"'),
        "one of ecp5, generic, gowin, ice40, xc7, not 'ecp6' (did you mean ecp5?)",
    ),
    "blocks": (("block_ram_kbits = 18", "block_ram_kbits = 20"), "block_ram_kbits must be one of 36, 18, 4, not 20"),
    "stream": (("data_bits = 64", "data_bits = 24"), "data_bits must be 8, 16, 32 and so on up to 512, not 24"),
    "section": (("[serial]", "[seriel]"), "unknown key seriel (did you mean serial?)"),
    "pin": (('rx = { site = "M1"', 'rx = { sight = "M1"'), "unknown key serial.rx.sight (did you mean site?)"),
    "site": (('site = "M1"', 'site = "M1\\"; bad"'), "at `$.serial.rx.site`"),
    "device": (('"--85k"', '"--lpf /etc/passwd"'), "at `$.serial.device[0]`"),
    "attribute": (('IO_TYPE = "LVCMOS33" } }\nrx', 'IO_TYPE = "A;B" } }\nrx'), "at `$.serial.clock.attributes"),
    "baud": (("baud = 3_000_000", "baud = -1"), "Expected `int` >= 300 - at `$.serial.baud`"),
    "toml": (("title = ", "title "), "not TOML"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_each_mistake_has_its_sentence(tmp_path, capsys, mistake):
    change, sentence = WRONG[mistake]
    file = own(tmp_path, "ulx3s-85f", change)
    assert main(["size", "n.safetensors", "--board", file]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bitwright: {file}: ") and sentence in line


def keys_of(kind: type, place: str = "") -> list[tuple[str, bool]]:
    """Every key of a description, those of its tables with their place, and whether it must be there."""
    found = []
    for field in msgspec.structs.fields(kind):
        if place or field.name != "name":
            found.append((f"{place}{field.name}", field.required))
            inner = [part for part in (field.type, *get_args(field.type)) if isinstance(part, type)]
            tables = [part for part in inner if issubclass(part, msgspec.Struct)]
            found += [
                key for table in tables if table is not BoardPin for key in keys_of(table, f"{place}{field.name}.")
            ]
    return found


def changed(place: str, change) -> str:
    """my-board.toml: a board of ours with every section, `change(table, key)` made at `place`."""
    values = tomllib.loads(text_of("ulx3s-85f")) | {"vivado": {"preset": "pynq"}}
    table = values
    *tables, key = place.split(".")
    for name in tables:
        table = table[name]
    change(table, key)
    Path("my-board.toml").write_text(tomli_w.dumps(values))
    return "my-board.toml"


KEYS = keys_of(Board)


def test_the_keys_are_those_of_the_page():
    """docs/howto/add-a-board.md names each of them."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "add-a-board.md").read_text()
    assert len(KEYS) > 30
    assert [key for key, _ in KEYS if f"`{key.rpartition('.')[2]}" not in page and f"[{key}]" not in page] == []


# what knows a board by its name, and why
KNOWERS = {
    "sw/bitwright/api/boards.py": "the board of `program` unless told otherwise",
    "sw/bitwright/reporting/counted.py": "what a design without a board is set beside",
}


def test_no_code_knows_a_board_and_the_page_names_what_does(checkout):
    page = (checkout / "docs/howto/add-a-board.md").read_text("utf-8")
    names = set(board_names())
    knowing = set()
    for file in checkout.glob("*/bitwright*/**/*.py"):
        constants = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
        if constants & names:
            knowing.add(file.relative_to(checkout).as_posix())
    assert knowing == KNOWERS.keys()
    needed = {"boards/bitwright_boards/data", "boards/bitwright_boards/board.py", "tests/boards/test_boards.py"}
    assert [path for path in sorted(needed | knowing) if f"`{path}`" not in page] == []
    listed = (checkout / "tests/boards/test_boards.py").read_text("utf-8")
    assert [name for name in sorted(names) if f'"{name}"' not in listed] == []


@pytest.mark.parametrize("place", [place for place, _ in KEYS])
def test_every_key_that_is_wrong_has_its_sentence(place):
    def misspelt(table, key):
        table[f"{key}q"] = table.pop(key, 1)

    def of_another_kind(table, key):
        table[key] = {"a": "table"} if "." in place or not isinstance(table.get(key), dict) else "a text"

    with pytest.raises(BoardError) as caught:
        load_board(changed(place, misspelt))
    told = str(caught.value)
    assert told.startswith(f"my-board.toml: unknown key {place}q (did you mean {place.rpartition('.')[2]}?); the keys ")
    with pytest.raises(BoardError) as caught:
        load_board(changed(place, of_another_kind))
    told = str(caught.value)
    assert told.startswith("my-board.toml: ") and place in told and "\n" not in told


@pytest.mark.parametrize("place", [place for place, required in KEYS if required])
def test_every_key_that_is_missing_is_named(place):
    with pytest.raises(BoardError) as caught:
        load_board(changed(place, lambda table, key: table.pop(key)))
    assert f"missing required field `{place.rpartition('.')[2]}`" in str(caught.value)


def test_a_board_without_sections_is_sized_and_says_what_to_write(tmp_path, capsys):
    file = tmp_path / "my-board.toml"
    file.write_text(text_of("ulx3s-85f").partition("# Pins")[0])
    assert main(["size", "n.safetensors", "--board", str(file), "--out", "p.toml"]) == 0
    assert main(["generate", "n.safetensors", "--plan", "p.toml", "--out", "d"]) == 0
    capsys.readouterr()
    assert main(["build", "d", "--board", str(file)]) == 2
    needs = "a section [vivado] or [serial] in its description"
    assert f"nothing is built for my-board, it is only sized: that needs {needs}; " in capsys.readouterr().err


def test_names_of_files(tmp_path):
    with pytest.raises(BoardError, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        load_board("none.toml")
    for name, sentence in (("pynq-z2", "a board of bitwright is called pynq-z2"), ("My Board", "in lower case")):
        (tmp_path / f"{name}.toml").write_text(text_of("pynq-z2"))
        with pytest.raises(BoardError, match=sentence):
            load_board(f"{name}.toml")


def test_a_board_of_ones_own_has_the_processing_system_of_its_part(tmp_path):
    file = own(tmp_path, "kv260", ("xck26-sfvc784-2LV-c", "xczu9eg-ffvb1156-2-e"))
    network = bw.load("n.safetensors")
    design = bw.generate(network, bw.size(network, board=file), tmp_path / "d")
    assert bw.build(design, file, tmp_path / "b", vivado=False).part == "xczu9eg-ffvb1156-2-e"
    text = (tmp_path / "b/scripts/block_design.tcl").read_text()
    assert "zynq_ultra_ps_e_0" in text and "processing_system7" not in text
    file = own(tmp_path, "kv260", ("xck26-sfvc784-2LV-c", "xc7a35tcpg236-1"))
    with pytest.raises(
        BoardError, match="my-board: xc7a35tcpg236-1 has no processing system that overlays are made for"
    ):
        bw.build(design, file, tmp_path / "c", vivado=False)
    file = own(tmp_path, "kv260", ('preset = "k26"', 'preset = "pynq"'))
    with pytest.raises(BoardError, match="there is no preset pynq; there are aup-zu3, k26, ultra96-v2, zcu104"):
        bw.build(design, file, tmp_path / "c", vivado=False)


def test_presets_that_there_are_not(tmp_path):
    file = own(tmp_path, "pynq-z2", ('preset = "pynq"', 'preset = "zybo"'))
    network = bw.load("n.safetensors")
    design = bw.generate(network, bw.size(network, board=file), tmp_path / "d")
    with pytest.raises(BoardError, match="my-board: there is no preset zybo; there are pynq"):
        bw.build(design, file, vivado=False)


def test_every_board_of_the_package_says_what_can_be_built_for_it():
    boards = [load_board(name) for name in board_names()]
    assert {board.name for board in boards if board.vivado} == {
        *("pynq-z1", "pynq-z2", "kv260", "kr260", "ultra96-v2", "aup-zu3", "zcu104"),
    }
    assert {board.name for board in boards if board.serial} == {
        *("ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f", "orangecrab-25f", "colorlight-i5", "colorlight-i9"),
        *("icepi-zero", "icebreaker", "arty-a7-35t", "arty-a7-100t", "basys3", "nexys-a7-100t", "alchitry-au"),
        *("tang-nano-9k", "tang-nano-20k"),
    }
