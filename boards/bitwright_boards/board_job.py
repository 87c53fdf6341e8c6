"""What `bitwright program` starts on the board: loads the overlay, runs the vectors, writes results.npz.

With --serve, which `bitwright play` asks for, it runs instead a frame for each line that the host sends.

Lies on the board as bitwright_job.py beside the driver; Python 3.10, numpy and pynq. It speaks on standard output,
one line an event, JSON after the mark; other lines are a login shell's or pynq's. Every ALIVE_SECONDS it says that it
lives. It listens on standard input: the host sends a line now and then, and when none has come for LOST_SECONDS, or
the input ends, the connection is gone, and the job ends, so that it never keeps the board to itself. Exit status 0 if
it told its results.
"""

import argparse
import fcntl
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

MARK = "@bitwright "
LOST_SECONDS = 60.0
ALIVE_SECONDS = 5.0
LOCK = "/tmp/bitwright-board.lock"
LATENCY_RUNS = 20
_speaking = threading.Lock()


def tell(event: str, **values: object) -> None:
    """Sends one event to the host: a line of JSON behind the mark."""
    with _speaking:
        sys.stdout.write(MARK + json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()


def watch_host() -> "queue.SimpleQueue[str]":
    """Ends the process when the host is gone. What the FPGA is doing is of no consequence: the next run resets it.

    Gives the host's lines that hold something.
    """
    last = [time.monotonic()]
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        rest = b""
        while True:
            part = os.read(0, 65536)
            if not part:
                os._exit(3)
            last[0] = time.monotonic()
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line.strip():
                    asked.put(line.decode(errors="replace"))

    def judge() -> None:
        while True:
            time.sleep(ALIVE_SECONDS)
            tell("alive")
            if time.monotonic() - last[0] > LOST_SECONDS:
                os._exit(3)

    for target in (listen, judge):
        threading.Thread(target=target, daemon=True).start()
    return asked


def take_board() -> object:
    """Keeps two jobs from using the board at once. The lock goes with the process."""
    lock = open(os.environ.get("BITWRIGHT_BOARD_LOCK", LOCK), "a")  # noqa: SIM115, PTH123 (stays open)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        tell("error", kind="Busy", message="another bitwright job is using this board; wait for it, or stop it")
        sys.exit(1)
    return lock


def serve(accelerator: Any, asked: "queue.SimpleQueue[str]") -> None:
    """Runs a frame through the driver's accelerator for each line of the host, a list of values; has no end."""
    import bitwright_driver
    import numpy as np

    while True:
        try:
            values = json.loads(asked.get())
        except ValueError:
            continue  # a password that sudo did not ask for
        if not isinstance(values, list):
            continue
        try:
            result = accelerator.run(np.array([values]))
        except bitwright_driver.DriverError as error:
            tell("refused", kind=type(error).__name__, message=str(error))
            continue
        tell(
            "frame",
            classes=None if result.classes is None else int(result.classes[0]),
            scores=None if result.scores is None else result.scores[0].tolist(),
            cycles=result.cycles_busy,
        )


def save_results(result: Any, file: Path) -> None:
    """Writes classes and scores, those that there are, at once."""
    import numpy as np

    arrays = {"classes": result.classes, "scores": result.scores}
    temporary = file.with_name(f".{file.name}")
    with temporary.open("wb") as opened:
        np.savez_compressed(opened, **{name: value for name, value in arrays.items() if value is not None})
    temporary.replace(file)


def run_bank(accelerator: Any, folder: Path, names: "list[str]") -> "list[dict[str, Any]]":
    """Chooses each network in turn and runs its vectors; what it told of each."""
    told = []
    for name in names:
        started = time.monotonic()
        accelerator.choose(name)
        seconds = time.monotonic() - started
        tested = accelerator.self_test(
            folder / f"{name}.vectors.npz", progress=lambda done, total: tell("progress", done=done, total=total)
        )
        save_results(tested.result, folder / f"{name}.results.npz")
        told.append({"name": name, "seconds": seconds, "crc": accelerator.weights_crc})
    return told


def work(
    folder: Path,
    batch_frames: "int | None",
    timeout: float,
    asked: "queue.SimpleQueue[str] | None",
    names: "list[str]",
) -> None:
    started = time.monotonic()
    try:
        import numpy as np
        import pynq
    except ImportError as error:
        text = f"Python {sys.version.split()[0]} at {sys.executable} cannot import pynq ({error})"
        tell("error", kind="MissingPynq", message=text)
        sys.exit(1)
    import bitwright_driver

    try:
        accelerator = bitwright_driver.Accelerator(folder, batch_frames=batch_frames, timeout=timeout)
    except bitwright_driver.DriverError as error:
        tell("error", kind=type(error).__name__, message=str(error))
        sys.exit(1)
    tell(
        "loaded",
        pynq=pynq.__version__,
        python=sys.version.split()[0],
        identity=accelerator.identity,
        digest=accelerator.digest,
        clock_mhz=accelerator.clock_mhz,
        seconds=time.monotonic() - started,
    )
    with accelerator:
        if asked is not None:
            serve(accelerator, asked)
        try:
            tested = accelerator.self_test(
                folder / "vectors.npz", progress=lambda done, total: tell("progress", done=done, total=total)
            )
            with np.load(folder / "vectors.npz", allow_pickle=False) as stored:
                one = stored["frames"][:1]
            latencies = sorted(accelerator.run(one).latency_seconds for _ in range(LATENCY_RUNS))
            bank = run_bank(accelerator, folder, names)
        except bitwright_driver.DriverError as error:
            tell("error", kind=type(error).__name__, message=str(error))
            sys.exit(1)
        result = tested.result
        save_results(result, folder / "results.npz")
        tell(
            "done",
            mismatches=len(tested.mismatches),
            frames_per_second=result.frames_per_second,
            latency_seconds=latencies[len(latencies) // 2],
            batches=result.batches,
            cycles_busy=result.cycles_busy,
            busy_frames_per_second=result.busy_frames_per_second,
            registers=accelerator.registers(),
            bank=bank,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs a bitwright overlay's vectors on this board.")
    parser.add_argument("--batch-frames", type=int, default=None)
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--networks", nargs="*", default=[])
    args = parser.parse_args()
    tell("started", pid=os.getpid(), user=os.geteuid())
    asked = watch_host()
    try:
        lock = take_board()
        folder = Path(__file__).resolve().parent
        work(folder, args.batch_frames, args.timeout, asked if args.serve else None, args.networks)
    except Exception as error:
        traceback.print_exc()
        tell("error", kind="Unexpected", message=f"{type(error).__name__}: {error}")
        sys.exit(1)
    finally:
        sys.stdout.flush()
    del lock  # held until here
    os._exit(0)  # not through the listening thread, nor pynq's finalizers


if __name__ == "__main__":
    main()
