"""`bitwright search CONFIG --board B --budget LUTS|RATE --out DIR`: evolution over widths, depth, bits and folds."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from bitwright.searching.result import SearchResult

_BUDGET = re.compile(
    r"(?P<max_luts>[0-9][0-9_,]*) *luts|(?P<target_fps>[0-9][0-9_,]*(?:\.[0-9]+)?) *fps", re.IGNORECASE
)
_Number = TypeVar("_Number", int, float, "int | str")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "search",
        description="Searches for the network that tells most frames right within a budget: widths, depth, bits and "
        "folds by evolution, judged on validation frames after a short training, LUTs by the model. The best is "
        "trained whole, counted by Yosys and verified. A search that was cut off goes on, and ends as it would have.",
    )
    command.add_argument(
        "config", metavar="CONFIG", help="what widths are multiples of: a TOML file, or a configuration that ships"
    )
    command.add_argument(
        "--board", required=True, metavar="B", help="a name that bitwright boards lists, or a .toml file of your own"
    )
    command.add_argument(
        "--budget",
        required=True,
        action="append",
        metavar="LUTS|RATE",
        help="such as 5000luts (the most LUTs) or 100000fps (the least rate); both may be given, each with its own "
        "--budget. Of LUTs the default is four fifths of the board's",
    )
    command.add_argument(
        "--out", required=True, metavar="DIR", type=Path, help="the folder to write to, and go on from"
    )
    command.add_argument(
        "--max-brams", metavar="N", type=int, help="the most block RAMs to take (default: all but four of the board's)"
    )
    command.add_argument(
        "--population", metavar="N", type=int, default=12, help="candidates of a generation (default: 12)"
    )
    command.add_argument("--generations", metavar="N", type=int, default=8, help="generations (default: 8)")
    command.add_argument(
        "--search-epochs", metavar="N", type=int, help="epochs of a candidate (default: a tenth of the configuration's)"
    )
    command.add_argument(
        "--ray", metavar="ADDRESS", help='judge candidates on a Ray cluster; "local" starts one here (extra ray)'
    )
    _add_choices(command)
    trained = command.add_argument_group("training")
    trained.add_argument("--dataset", metavar="NAME", help="another data set (default: the configuration's)")
    trained.add_argument("--data-dir", metavar="DIR", type=Path, help="where data sets lie (default: BITWRIGHT_DATA)")
    trained.add_argument("--epochs", metavar="N", type=int, help="of the chosen network (default: the configuration's)")
    trained.add_argument(
        "--seed", metavar="S", type=int, help="of evolution and training (default: the configuration's)"
    )
    trained.add_argument(
        "--frames", metavar="N", type=int, default=10_000, help="test frames to verify with (default: 10000)"
    )
    add_json(command)
    command.set_defaults(run=run)


def _add_choices(command: argparse.ArgumentParser) -> None:
    """What evolution may choose from."""
    choices = command.add_argument_group("choices", "What a layer, or the network, may have; lists with commas.")
    choices.add_argument("--scales", metavar="F,...", help="factors of the configuration's widths (default: 0.25 to 2)")
    choices.add_argument(
        "--depths", metavar="N,...", help="hidden dense layers (default: 1 to as many as the configuration has)"
    )
    choices.add_argument("--weights", metavar="B,...", help="bits of weights: 1 to 4, ternary (default: as they are)")
    choices.add_argument(
        "--activations",
        metavar="B,...",
        help="bits of activations: 1 to 4, ternary, signed2 to signed4 (default: 1,2 where they are of 1 bit)",
    )
    choices.add_argument("--levels", metavar="N,...", help="bits of an input value (default: as they are)")
    choices.add_argument(
        "--cycles", metavar="N,...", help="cycles a frame, without a rate (default: the least and its multiples)"
    )


def _budget(texts: list[str]) -> dict[str, int | float]:
    """What --budget gave, as options of bw.search. Raises TrainingError."""
    from bitwright_core.errors import TrainingError

    found: dict[str, int | float] = {}
    for text in texts:
        match = _BUDGET.fullmatch(text.strip())
        if match is None:
            raise TrainingError(f"--budget is a number of LUTs or a rate, such as 5000luts or 100000fps, not {text!r}")
        name = "target_fps" if match["max_luts"] is None else "max_luts"
        if name in found:
            raise TrainingError(
                f"--budget {text} is the second of its kind; give a number of LUTs and a rate once each"
            )
        number = float(re.sub("[_,]", "", match[name]))
        found[name] = number if match["max_luts"] is None else int(number)
    return found


def _list(text: str | None, option: str, kind: Callable[[str], _Number]) -> list[_Number]:
    """`text` as a list, split at commas. Raises TrainingError."""
    from bitwright_core.errors import TrainingError

    try:
        return [kind(part.strip()) for part in text.split(",")] if text else []
    except ValueError:
        raise TrainingError(f"{option} is a list of numbers such as 1,2, not {text!r}") from None


def _bits(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright_core.writable import check_folder

    check_folder(args.out)
    with quiet_stdout(args.json), progress() as bars:
        found = api.search(
            args.config,
            args.out,
            board=args.board,
            **_budget(args.budget),  # type: ignore[arg-type]
            max_brams=args.max_brams,
            population=args.population,
            generations=args.generations,
            search_epochs=args.search_epochs,
            scales=_list(args.scales, "--scales", float),
            depths=_list(args.depths, "--depths", int),
            weights=_list(args.weights, "--weights", _bits),
            activations=_list(args.activations, "--activations", _bits),
            levels=_list(args.levels, "--levels", int),
            cycles=_list(args.cycles, "--cycles", int),
            dataset=args.dataset,
            epochs=args.epochs,
            seed=args.seed,
            data_dir=args.data_dir,
            frames=args.frames,
            ray=args.ray,
            progress=bars,
        )
    if args.json:
        print_json({**found.to_dict(), "out": str(args.out)})
    else:
        _print(found, args.out)
    return 0


def _print(found: "SearchResult", out: Path) -> None:
    from bitwright.cli.output import percent, print_facts, print_table, say

    print_table(
        ["", "network", "validation", "LUTs", "block RAM", "frames/s", "number"],
        [
            [
                "chosen" if one is found.chosen else "",
                str(one.traits),
                percent(one.accuracy),
                one.luts,
                one.block_rams,
                round(one.frames_per_second),
                one.number,
            ]
            for one in found.frontier
        ],
        title=f"{found.network} for {found.title}: unbeaten of {len(found.candidates)}",
    )
    made = found.made
    assert made is not None
    print_facts(
        [
            ("held-out accuracy", percent(made.test_accuracy)),
            ("LUTs", f"{made.luts:,} by the model, {made.counted_luts:,} by Yosys"),
            ("rate", f"{made.frames_per_second:,.0f} frames/s"),
            ("verified", f"{made.verified_frames:,} frames, every integer"),
            ("design", f"{made.folder}/design"),
        ]
    )
    say(f"written to {out / 'index.html'}, frontier.png and results.json")
