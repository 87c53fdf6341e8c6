"""`python3 -m bitwright_train CONFIG --out DIR`: training alone, where there is no hardware package, on a GPU say.

Leaves the checkpoint of a finished run; `bitwright train CONFIG --out DIR` then exports and proves it, anywhere. On
several GPUs `torchrun --nproc-per-node N -m bitwright_train CONFIG --out DIR`.
"""

import argparse
import os
import sys
from pathlib import Path

from bitwright_core.errors import BitwrightError
from bitwright_core.progress import plain_progress
from bitwright_train.config import load_config, with_overrides
from bitwright_train.told import line_of


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bitwright_train", description="Trains; the export is bitwright train's.")
    parser.add_argument("config", metavar="CONFIG", help="a TOML file, or a configuration that ships")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="the folder to write")
    parser.add_argument(
        "--data-dir", metavar="D", type=Path, help="folder of the data files (default: $BITWRIGHT_DATA)"
    )
    parser.add_argument("--epochs", metavar="N", type=int, help="another number of epochs")
    parser.add_argument("--start", metavar="DIR", help="begin with what the run in DIR learned")
    parser.add_argument("--teacher", metavar="DIR", help="whom distill follows: the network of the run in DIR")
    parser.add_argument("--seed", metavar="S", type=int, help="another seed")
    parser.add_argument("--time-limit", metavar="M", type=float, help="end, schedule and all, within M minutes")
    parser.add_argument("--eager", action="store_true", help="on a GPU: no recorded steps")
    parser.add_argument("--cpu", action="store_true", help="not on a GPU, even if there is one")
    parser.add_argument("--kept-alone", action="store_true", help="leave a checkpoint of what the export takes alone")
    parser.add_argument("--threads", metavar="N", type=int, help="torch's threads")
    return parser


def main() -> int:
    """Trains as the command line says; 2 for a user's mistake, told in a line."""
    from bitwright_train.run import train_only
    from bitwright_train.together import is_first

    args = _arguments().parse_args()
    try:
        config = with_overrides(
            load_config(args.config), epochs=args.epochs, seed=args.seed, start=args.start, teacher=args.teacher
        )
        record = train_only(
            config,
            args.out,
            data_dir=args.data_dir or Path(os.environ.get("BITWRIGHT_DATA", "data")),
            device="cpu" if args.cpu else None,
            threads=args.threads,
            seconds=None if args.time_limit is None else 60 * args.time_limit,
            record=not args.eager,
            kept_alone=args.kept_alone,
            told=lambda epoch: print(line_of(epoch), flush=True),
            progress=plain_progress(),
        )
        if is_first():
            if record.teacher_accuracy is not None:
                print(f"teacher: validation {record.teacher_accuracy:.2%}")
            print(f"{record.epoch} epochs in {record.seconds:,.0f} s")
    except BitwrightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
