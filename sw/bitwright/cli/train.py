"""`bitwright train CONFIG --out DIR`: trains a network with torch and writes its integers."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_train.told import EpochTold

_LONG = 60.0  # seconds; for less, nobody needs to know how to go on


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "train",
        description="Trains a binary network and writes network.safetensors, metrics.json and a plot of the "
        "curves. A run that was cut off goes on from its checkpoint.",
    )
    command.add_argument(
        "config",
        metavar="CONFIG",
        help="a TOML file, or a configuration that ships: digits, tfc, sfc, cnn-small, cnv, mnist-generator and more",
    )
    command.add_argument("--out", required=True, metavar="DIR", type=Path, help="the folder to write")
    command.add_argument(
        "--data-dir",
        metavar="D",
        type=Path,
        help="folder of the data files (default: $BITWRIGHT_DATA, or data)",
    )
    command.add_argument(
        "--dataset",
        metavar="NAME",
        help="another data set: digits, mnist, fashion-mnist, cifar10, fsdd, spam, yeast, a .npz or .csv, or a folder "
        "of classes; mnist:5-9 for some classes",
    )
    command.add_argument(
        "--epochs", metavar="N", type=int, help="another number of epochs; more than a finished run had, and it goes on"
    )
    command.add_argument(
        "--time-limit", metavar="M", type=float, help="end the training, its schedule with it, within about M minutes"
    )
    command.add_argument(
        "--start", metavar="RUN", type=Path, help="begin with what another run learned: the folder it wrote"
    )
    command.add_argument(
        "--teacher",
        metavar="RUN",
        type=Path,
        help="whom distill follows, in place of a float network: another run's folder",
    )
    command.add_argument(
        "--features",
        metavar="NETWORK",
        type=Path,
        help="train a new last layer alone, on what the other layers of this network file give",
    )
    command.add_argument("--seed", metavar="S", type=int, help="another seed")
    command.add_argument("--fresh", action="store_true", help="start over, whatever the folder holds")
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import percent, print_facts, print_json, progress, quiet_stdout, say
    from bitwright_core.writable import check_folder

    check_folder(args.out)
    if args.features is not None:
        return _features(args)
    if api.is_generator(args.config):
        return _generator(args)
    with quiet_stdout(args.json), progress() as report:
        result = api.train_network(
            args.config,
            args.out,
            start=args.start,
            teacher=args.teacher,
            progress=report,
            **_run_options(args),
        )
    network = args.out / "network.safetensors"
    if args.json:
        print_json(
            {
                "test_accuracy": result.test_accuracy,
                "test_labels": None if result.label_metrics is None else asdict(result.label_metrics),
                "baseline_accuracy": result.baseline_accuracy,
                "seconds": result.seconds,
                "network": str(network),
                "digest": result.network.digest,
                "out": str(args.out),
            }
        )
        return 0
    print_facts(
        [
            ("network", repr(result.network)),
            ("held-out accuracy", percent(result.test_accuracy))
            if result.label_metrics is None
            else ("held-out labels", str(result.label_metrics)),
            *(
                []
                if result.baseline_accuracy is None
                else [("float network", percent(result.baseline_accuracy) + " of the same test set")]
            ),
            ("training took", f"{result.seconds:,.1f} s"),
            ("written to", args.out),
        ]
    )
    say(f"\nNext: bitwright generate {network} --out design")
    return 0


def _run_options(args: argparse.Namespace) -> dict[str, Any]:
    """What any run is given, of a whole network or of a last layer."""
    return {
        "data_dir": args.data_dir,
        "dataset": args.dataset,
        "epochs": args.epochs,
        "seed": args.seed,
        "resume": not args.fresh,
        "seconds": None if args.time_limit is None else 60 * args.time_limit,
        "told": _teller(args.out),
    }


def _features(args: argparse.Namespace) -> int:
    """Trains a new last layer on the features of a network."""
    from bitwright import api
    from bitwright.cli.output import percent, print_facts, print_json, progress, quiet_stdout, say
    from bitwright_core.errors import TrainingError

    if args.start is not None or args.teacher is not None:
        raise TrainingError("--features trains a last layer alone; leave out --start and --teacher")
    with quiet_stdout(args.json), progress() as report:
        result = api.train_features(
            args.config,
            api.load(args.features),
            args.out,
            progress=report,
            **_run_options(args),
        )
    network = args.out / "network.safetensors"
    if args.json:
        facts = {"test_accuracy": result.test_accuracy, "seconds": result.head.seconds, "network": str(network)}
        print_json({**facts, "digest": result.network.digest, "out": str(args.out)})
        return 0
    print_facts(
        [
            ("network", repr(result.network)),
            ("held-out accuracy", percent(result.test_accuracy)),
            ("training took", f"{result.head.seconds:,.1f} s"),
            ("written to", args.out),
        ]
    )
    say(f"\nNext: bitwright weights DESIGN {network} --out {args.out / 'network.load'}")
    return 0


def _generator(args: argparse.Namespace) -> int:
    """Trains a network that draws images."""
    from bitwright import api
    from bitwright.cli.output import percent, print_facts, print_json, progress, quiet_stdout, say
    from bitwright_core.errors import TrainingError

    if args.start is not None or args.teacher is not None:
        raise TrainingError("a generator starts from chance and has no teacher; leave out --start and --teacher")
    with quiet_stdout(args.json), progress() as report:
        result = api.train_generator(args.config, args.out, progress=report, **_run_options(args))
    network, codes, samples = args.out / "network.safetensors", args.out / "codes.npz", result.samples
    if args.json:
        facts = {"samples": asdict(samples), "judge_accuracy": result.judge_accuracy, "seconds": result.seconds}
        files = {"network": str(network), "codes": str(codes), "out": str(args.out)}
        print_json({**facts, "digest": result.network.digest, **files})
        return 0
    print_facts(
        [
            ("network", repr(result.network)),
            ("recognised", f"{percent(samples.recognised)} of {samples.samples:,} samples"),
            ("the judge", f"a float network, {percent(result.judge_accuracy)} of the test images right"),
            (
                "two of a class",
                f"differ in {samples.distance:.1f} pixels, test images in {samples.real_distance:.1f}",
            ),
            ("training took", f"{result.seconds:,.1f} s"),
            ("written to", args.out),
        ]
    )
    say(f"\nNext: bitwright generate {network} --out design; then bitwright verify design --data {codes}")
    return 0


def _teller(out: Path) -> "Callable[[EpochTold], None]":
    """Tells each epoch on standard error, and after the first how to go on if the run is cut off."""
    said = False

    def tell(epoch: "EpochTold") -> None:
        nonlocal said
        from bitwright_train.told import line_of

        print(line_of(epoch), file=sys.stderr)
        if not said and epoch.seconds_left > _LONG:
            print(f"If it is cut off, the same command goes on from {out}.", file=sys.stderr)
        said = True

    return tell
