"""Several networks in one overlay: a bank of load files beside it, of which the driver chooses one by name."""

import json

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_boards import driver
from bitwright_boards.bank import bank_of
from bitwright_boards.deployment import DESIGN, describe
from bitwright_core import golden
from bitwright_core.errors import BoardError, DesignError
from tests.boards.loadable import design, networks
from tests.sw.networks import random_frames, random_network

__all__ = ["design", "networks"]


@pytest.fixture(scope="module")
def bank(design, networks):
    frames = random_frames(networks[0], 20)
    return bank_of(design, [(network, bw.weights(design, network)) for network in networks], frames, None)


class Registers(driver.Driver):
    """A driver of registers in memory, which takes loads as the hardware does."""

    def __init__(self, folder, crc):
        self.design = driver.Description(folder)
        self.values = {"WEIGHTS_CRC": crc, "LOAD": 0}
        structure = json.loads((folder / DESIGN).read_text())["load"]["structure"]
        self.values |= {f"STRUCTURE_{k}": int(structure[8 * k : 8 * k + 8], 16) for k in range(8)}
        self.loads = []
        self.arrived = 0

    def _read(self, name):
        return self.values[name]

    def _write(self, name, values):
        if name == "LOAD_DATA":
            self.arrived = len(values)
        elif name == "WEIGHTS_CRC":
            self.arrived, self.values["LOAD"] = values[0], driver.LOAD_READY
        elif values == [driver.LOAD_SWAP]:
            self.values |= {"WEIGHTS_CRC": self.arrived, "LOAD": 0}
            self.loads.append(self.arrived)


def test_names_of_a_bank_are_different(bank, networks):
    assert [each.name for each in bank] == ["random", "random-2", "random-3"]
    for each, network in zip(bank, networks, strict=True):
        assert each.load.network_digest == network.digest
        assert each.vectors.scores.tolist() == golden.outputs(network, each.vectors.frames).tolist()
        assert set(each.files) == {f"{each.name}.load", f"{each.name}.vectors.npz"}
    assert len({each.vectors.scores.tobytes() for each in bank}) == 3


def test_a_network_is_chosen_by_its_name(design, bank, tmp_path):
    (tmp_path / DESIGN).write_text(json.dumps(describe(design)))
    for each in bank:
        (tmp_path / f"{each.name}.load").write_bytes(each.files[f"{each.name}.load"])
    accelerator = Registers(tmp_path, design.manifest.loads.crc)
    assert accelerator.networks == ("random", "random-2", "random-3")
    crcs = [each.load.crc for each in bank]
    accelerator.choose("random")  # computes already
    assert accelerator.loads == []
    for name in ("random-2", "random-2", "random-3", "random"):
        accelerator.choose(name)
    assert accelerator.loads == [crcs[1], crcs[2], crcs[0]]
    with pytest.raises(driver.LoadFailed, match="no network digits here; there are: random, random-2, random-3"):
        accelerator.choose("digits")
    with pytest.raises(driver.LoadFailed, match=r"there is no network \.\./random here"):
        accelerator.choose("../random")
    content = (tmp_path / "random-2.load").read_bytes()
    (tmp_path / "random-2.load").write_bytes(content[:-1])
    with pytest.raises(driver.LoadFailed, match="damaged"):
        accelerator.choose("random-2")
    assert accelerator.loads == [crcs[1], crcs[2], crcs[0]]


def test_what_cannot_be_a_bank_is_told(design, networks, board_design, pynq_python, tmp_path, capsys):
    other = random_network(6, shape=(6, 6), bits=8, levels=1, hidden=(15, 9), classes=5)
    with pytest.raises(DesignError, match="has another structure than"):
        bw.program(design, simulated=pynq_python, board="kv260", frames=5, loads=[other])
    with pytest.raises(DesignError, match="its weights are fixed"):
        bw.program(board_design, simulated=pynq_python, frames=5, loads=[board_design.network])
    with pytest.raises(BoardError, match="say where the board is"):
        bw.program(design, frames=5, loads=[networks[1]])
    networks[1].save(tmp_path / "n.safetensors")
    command = ["program", str(design.folder), "--board", "pynq-z2", "--load", str(tmp_path / "n.safetensors")]
    assert main([*command, "--jtag"]) == 2
    assert "--load needs the driver, which --jtag does not start" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_a_bank_runs_on_the_simulated_board(design, networks, pynq_python, tmp_path, capsys, board):
    files = []
    for number, network in enumerate(networks[1:]):
        network.save(tmp_path / f"{number}.safetensors")
        files += ["--load", str(tmp_path / f"{number}.safetensors")]
    command = ["program", str(design.folder), "--board", board, "--simulated", "--frames", "40", *files]
    command += ["--pynq", str(pynq_python.parent.parent)]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] and told["mismatches"] == []
    assert [each["name"] for each in told["chosen"]] == ["random-2", "random-3", "random"]
    assert [each["digest"] for each in told["chosen"]] == [networks[k].digest for k in (1, 2, 0)]
    assert all(each["mismatches"] == [] and each["compared"] == told["compared"] for each in told["chosen"])
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "then random-2, loaded in " in said and said.count("40 frames, 0 mismatches") == 3
    assert "is the golden model's of each network." in said
