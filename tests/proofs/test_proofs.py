"""Every proof of the registry: the quick ones here and in continuous integration, the others with --slow."""

import pytest

from tests.proofs.prove import main
from tests.proofs.registry import PROOFS


@pytest.mark.parametrize(
    "proof",
    [pytest.param(proof, id=proof.name, marks=() if proof.quick else pytest.mark.slow) for proof in PROOFS],
)
def test_it_holds(proof):
    outcome = proof.run()
    assert outcome.proven, str(outcome)


def test_names_are_each_ones_own():
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


def test_the_command_prints_a_table_and_tells_what_does_not_hold(capsys, monkeypatch):
    assert main(["break-detector", "--jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert "break-detector/5-cycles  always" in out
    assert "1 of 1 proofs hold" in out
    assert "1 of 1  break-detector/5-cycles: holds" in err
    with pytest.raises(SystemExit, match="there is no proof gearbok"):
        main(["gearbok"])
