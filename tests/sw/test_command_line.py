"""How command lines are read: values that begin with a minus, near misses, failures as JSON."""

import argparse
import json

import pytest

from bitwright.cli import leaves, main, parser
from bitwright.cli.arguments import UsageError

PARSER = parser()
COMMANDS = dict(leaves(PARSER))
VALUED = [
    (command, option, action)
    for command, own in COMMANDS.items()
    for action in own._actions
    for option in action.option_strings
    if action.nargs is None
]


def read(command: str, option: str, value: str) -> argparse.Namespace:
    """The whole command line, by its top parser."""
    return PARSER.parse_args([*command.split(), *required(COMMANDS[command], option), option, value])


def required(own: argparse.ArgumentParser, option: str) -> list[str]:
    """What else must be given, so that the command line is whole."""
    words: list[str] = []
    for action in own._actions:
        if option in action.option_strings:
            continue
        if not action.option_strings and action.nargs is None:
            words.append("x")
        elif action.required and action.option_strings:
            words += [action.option_strings[0], "x"]
    for group in own._mutually_exclusive_groups:
        if group.required and all(option not in action.option_strings for action in group._group_actions):
            words += [group._group_actions[0].option_strings[0], "x"]
    return words


def test_every_option_takes_a_value_that_begins_with_a_minus():
    """It reaches the option, which may refuse it for what it is: no option is "expected" in its place."""
    assert len(VALUED) > 60
    for command, option, action in VALUED:
        for value in ("-1", "-0.5,-0.5", "-1..1", "-.5", "-inf", "-x", "-h2"):
            try:
                given = getattr(read(command, option, value), action.dest)
            except UsageError as error:
                assert option in str(error) and value in str(error) and "expected one argument" not in str(error)
                assert action.type is not None or action.choices
            else:
                due = (action.type or str)(value)
                assert given in (due, [due])  # of an option that may stand several times, a list


def test_an_option_is_no_value():
    """--json stays what it is; so does a misspelled option."""
    for command, option, _ in VALUED:
        for word in ("--json", "--jsn"):
            with pytest.raises(UsageError, match="expected one argument"):
                read(command, option, word)


def test_the_range_that_help_and_docs_name():
    command = "import onnx m.onnx --out n --input-range -1..1 --mean -0.5,-0.5 --std -1"
    args = PARSER.parse_args(command.split())
    assert (args.input_range, args.mean, args.std) == ("-1..1", "-0.5,-0.5", "-1")


def test_help_has_every_default():
    """That of each option which has one; and what happens without it, where several things could."""
    for command, own in COMMANDS.items():
        for action in own._actions:
            if action.option_strings and action.default not in (None, False, argparse.SUPPRESS):
                assert "default: " in action.help, f"{command} {action.option_strings}"
    for line in ("size --max-luts", "size --target-fps", "size --encoding", "report --data", "simulate --seed"):
        command, option = line.split()
        (action,) = (action for action in COMMANDS[command]._actions if option in action.option_strings)
        assert "default: " in action.help, line


def test_what_follows_two_minuses_is_left_alone():
    assert str(PARSER.parse_args(["info", "--", "-1..1"]).network) == "-1..1"
    assert str(PARSER.parse_args(["generate", "--out", "-d", "--", "-n"]).network) == "-n"


NEAR = {
    "verfy d": "argument COMMAND: invalid choice: 'verfy' (did you mean verify?); choose from train, import,",
    "Info d": "(did you mean info?)",
    "import onx f": "argument FORMAT: invalid choice: 'onx' (did you mean onnx?); choose from bnn-pynq, dwn, onnx",
    "export qonx f": "(did you mean onnx?)",
    "generate n --out d --target xc": "(did you mean xc7?); choose from generic, xc7, ecp5, ",
    "generate n --out d --layer conv": "(did you mean conv2d?)",
    "generate n --out d --padding-value minus-one": "(did you mean minus_one?)",
    "generate n --out d --score": "arguments: --score (did you mean --scores?); see bitwright generate --help",
    "generate n --out d --clock_mhz=3": "(did you mean --clock-mhz?)",
    "simulate d --simulator verilater": "(did you mean verilator?)",
    "synth d --family xc8": "(did you mean xc7?)",
    "verify d --data digits --fames 3": "arguments: --fames 3 (did you mean --frames?); see bitwright verify",
    "size n --board pynq-z2 --target-frames 3": "see bitwright size --help",
    "boards pynq": "unrecognized arguments: pynq; see bitwright boards --help",
    "--verson info n": "unrecognized arguments: --verson (did you mean --version?); see bitwright --help",
    "zzz": "argument COMMAND: invalid choice: 'zzz'; choose from",
}


@pytest.mark.parametrize("command", NEAR)
def test_near_misses_are_named(capsys, command):
    assert main(command.split()) == 2
    line = capsys.readouterr().err
    assert NEAR[command] in line and line.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("info none --json", "NetworkError"),
        ("--json info none", "UsageError"),
        ("generate n --json", "UsageError"),
        ("verify none --data digits --json", "DesignError"),
        ("train none.toml --out t --json", "TrainingError"),
        ("size none --board pynq-z2 --json", "NetworkError"),
    ],
)
def test_a_failure_is_one_json_object_too(capsys, tmp_path, monkeypatch, command, kind):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    streams = capsys.readouterr()
    told = json.loads(streams.out)
    assert told.keys() == {"error", "kind", "status"} and (told["kind"], told["status"]) == (kind, 2)
    assert streams.err == f"bitwright: {told['error']}\n"


def test_other_ends_are_json_too(capsys, monkeypatch):
    from bitwright.cli import info

    for raised, status, kind in ((KeyboardInterrupt(), 130, "Stopped"), (OSError(28, "No space left"), 2, "OSError")):

        def end(args, raised=raised):
            raise raised

        monkeypatch.setattr(info, "run", end)
        assert main(["info", "n", "--json"]) == status
        told = json.loads(capsys.readouterr().out)
        assert (told["kind"], told["status"]) == (kind, status)
