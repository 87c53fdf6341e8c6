"""What says that there is no hardware for a network yet."""

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright.errors import PlanError

from .conv_networks import random_conv_network


def test_hardware_is_refused_in_one_sentence(tmp_path, capsys):
    net = random_conv_network(1)
    net.save(tmp_path / "n.safetensors")
    for make in (
        lambda: bw.size(net),
        lambda: bw.generate(net, out=tmp_path / "design"),
        lambda: bw.size(net, board="pynq-z2"),
        lambda: bw.size(net, hardwired=True),
    ):
        with pytest.raises(PlanError, match="network random_conv has convolutions, pools, integer inputs or votes"):
            make()
    assert main(["generate", str(tmp_path / "n.safetensors"), "--out", str(tmp_path / "design")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
