"""The command file for Surfer, read by the rules of Surfer's own parser (libsurfer 0.5), which is not here itself."""

import re
from pathlib import Path

from bitwright_sim.surfer_view import surfer_command, write_surfer
from bitwright_sim.wave_groups import groups

# how much of a line each command's arguments take: the rest, a word and no more, a name up to a blank and a time
ARGUMENTS = {
    "variable_add": r"\S.*",
    "divider_add": r"\w+",
    "marker_set": r"[^ ]+ \d+",
    "cursor_set": r"\d+",
}


def commands(text: str) -> list[tuple[str, str]]:
    """(command, arguments) of each line, or AssertionError where Surfer would say that it is none."""
    found = []
    for line in text.splitlines():
        told = line.strip().split("#")[0]
        for command in filter(None, told.split(";")):
            name, _, arguments = command.partition(" ")
            assert re.fullmatch(ARGUMENTS[name], arguments), command
            found.append((name, arguments))
    return found


def test_surfer_reads_every_line(scores_design, tmp_path):
    waves = tmp_path / "waves-icarus.fst"
    marks = {"first beat in": 20, "last beat out": 400}
    file = write_surfer(waves, scores_design, scores_design.manifest.top, marks)
    found = commands(file.read_text())
    shown = groups(scores_design)
    assert [name for command, name in found if command == "divider_add"] == [re.sub(r"\W+", "_", n) for n in shown]
    signals = [name for command, name in found if command == "variable_add"]
    assert signals == [f"{scores_design.manifest.top}.{path}" for group in shown.values() for path, _ in group]
    assert [one for one in found if one[0] == "marker_set"] == [
        ("marker_set", "first_beat_in 20"),
        ("marker_set", "last_beat_out 400"),
    ]
    assert found[-1] == ("cursor_set", "20")
    assert surfer_command(Path("w.fst")) == "surfer w.fst --command-file w.sucl"
