"""Scenarios on the simulated board, run by pynq's Python in a process of its own: FOLDER NAME ... on the command line.

Prints one JSON object: for each scenario what happened. test_driver.py judges.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np


def board():
    import pynq

    return pynq.Device.active_device


def vectors(folder: Path):
    with np.load(folder / "vectors.npz") as stored:
        return {name: stored[name] for name in stored.files}


def equal(result, expected, count: int) -> bool:
    return bool(
        np.array_equal(result.classes, expected["classes"][:count])
        and np.array_equal(result.scores, expected["scores"][:count])
    )


def run_scenario(folder: Path) -> dict:
    """Several batches, then single frames, then odd batch sizes; the counters; a clock as the .hwh says."""
    import bitwright_driver as bd

    expected = vectors(folder)
    frames = expected["frames"]
    with bd.Accelerator(folder, batch_frames=64) as accelerator:
        seen = []
        whole = accelerator.run(frames, progress=lambda done, total: seen.append((done, total)))
        singles = [accelerator.run(frames[k : k + 1]) for k in range(3)]
        return {
            "whole": equal(whole, expected, len(frames)),
            "batches": whole.batches,
            "progress": seen,
            "singles": [int(r.classes[0]) for r in singles] == expected["classes"][:3].tolist(),
            "latency_us": singles[-1].latency_seconds * 1e6,
            "flat": equal(accelerator.run(frames[:70].reshape(70, -1)), expected, 70),
            "rates": [whole.frames_per_second > 0, whole.busy_frames_per_second > 0],
            "cycles_busy": whole.cycles_busy,
            "frames_in": accelerator.registers()["FRAMES_IN"],
            "status": accelerator.status().errors,
            "identity": accelerator.identity,
            "digest": accelerator.digest,
            "clock_mhz": accelerator.clock_mhz,
            "self_test": list(accelerator.self_test().mismatches),
        }


def register_map_scenario(folder: Path) -> dict:
    """What pynq itself shows of the accelerator, through its own drivers."""
    import pynq

    overlay = pynq.Overlay(str(next(folder.glob("*.bit"))))
    block = overlay.accelerator_0
    return {
        "names": [name for name in dir(block.register_map) if name.isupper()],
        "identity": int(block.register_map.IDENTITY),
        "batch": int(block.register_map.CONTROL.batch),
        "dma": type(overlay.axi_dma_0).__name__,
        "channels": [hasattr(overlay.axi_dma_0, "sendchannel"), hasattr(overlay.axi_dma_0, "recvchannel")],
        "fclk0": pynq.Clocks.fclk0_mhz,
    }


def fault_scenario(folder: Path) -> dict:
    """Each fault in the middle of the second of three batches; afterwards all frames again."""
    import bitwright_driver as bd

    expected = vectors(folder)
    frames = expected["frames"][:96]
    told = {}
    with bd.Accelerator(folder, batch_frames=32, timeout=0.3) as accelerator:
        beats = accelerator.design.input["beats"]
        results = accelerator.design.beats
        middle = {
            "send decode error": 10 * beats,
            "receive slave error": 10 * results,
            # inside a frame if it has more than one beat
            "truncate": 10 * beats + max(0, beats - 2),
            "stall send": 10 * beats + beats - 1,
            "stall receive": 10 * results + 1,
            "hard reset": 10 * beats + beats - 1,
            "soft reset": 10 * beats + beats - 1,
            "lose last": 0,
        }
        for kind, beat in middle.items():
            count = [0]

            def strike(done, total, kind=kind, beat=beat, count=count):
                count[0] += 1
                if count[0] == 1:
                    board().fault(kind, beat)

            started = time.monotonic()
            try:
                accelerator.run(frames, progress=strike)
                told[kind] = {"error": None}
            except bd.DriverError as error:
                told[kind] = {"error": type(error).__name__, "message": str(error)}
            told[kind]["seconds"] = time.monotonic() - started
            told[kind]["after"] = equal(accelerator.run(frames), expected, 96)
    return told


def wrong_frames_scenario(folder: Path) -> dict:
    import bitwright_driver as bd

    expected = vectors(folder)
    frames = expected["frames"]
    told = {}
    with bd.Accelerator(folder) as accelerator:
        for name, wrong in {
            "shape": frames[:, :2],
            "none": frames[:0],
            "float": frames.astype(np.float32),
            "negative": frames.astype(np.int64) - 1000,
            "large": np.full_like(frames, 0xFFFF),
            "one": frames[0],
        }.items():
            try:
                accelerator.run(wrong)
                told[name] = None
            except bd.FrameError as error:
                told[name] = str(error)
        told["after"] = equal(accelerator.run(frames), expected, len(frames))
        try:
            accelerator.self_test(folder / "none.npz")
        except bd.FrameError as error:
            told["vectors"] = str(error)
        other = dict(expected)
        other["classes"] = other["classes"].copy()
        other["classes"][[3, 7]] += 1
        np.savez(folder / "wrong.npz", **other)
        told["mismatches"] = list(accelerator.self_test(folder / "wrong.npz").mismatches)
    return told


def open_scenario(folder: Path) -> dict:
    """What opening the folder says."""
    import bitwright_driver as bd

    try:
        with bd.Accelerator(folder) as accelerator:
            return {"digest": accelerator.digest}
    except bd.DriverError as error:
        return {"error": type(error).__name__, "message": str(error)}


def pace_scenario(folder: Path) -> dict:
    """The cycle-accurate and the fast mode give the same results; the fast one with far fewer register accesses."""
    import bitwright_driver as bd

    expected = vectors(folder)
    told = {}
    with bd.Accelerator(folder) as accelerator:
        device = board()
        for mode in (False, True):
            device.pace(fast=mode)
            calls = [0]
            read = device.read_registers

            def counted(address, length, read=read, calls=calls):
                calls[0] += 1
                return read(address, length)

            device.read_registers = counted
            result = accelerator.run(expected["frames"])
            device.read_registers = read
            told["fast" if mode else "accurate"] = [equal(result, expected, len(result.classes)), calls[0]]
    return told


def stale_scenario(folder: Path) -> dict:
    """A driver that forgets to flush reads and sends stale memory: the simulated cache shows it."""
    import bitwright_driver as bd
    import pynq_device

    expected = vectors(folder)
    with bd.Accelerator(folder) as accelerator:
        flush = pynq_device.SimulatedBoard.flush
        pynq_device.SimulatedBoard.flush = lambda *_: None
        try:
            result = accelerator.run(expected["frames"])
        finally:
            pynq_device.SimulatedBoard.flush = flush
        return {"stale_equal": equal(result, expected, len(result.classes))}


def tested_scenario(folder: Path) -> dict:
    import bitwright_driver as bd

    with bd.Accelerator(folder, batch_frames=48) as accelerator:
        tested = accelerator.self_test()
        return {"mismatches": list(tested.mismatches), "frames": len(tested.result.classes)}


def raised(call) -> list[str]:
    """The name of the error that `call` raises, and what it says."""
    import bitwright_driver as bd

    try:
        call()
    except bd.DriverError as error:
        return [type(error).__name__, str(error)]
    return []


def loads_scenario(folder: Path) -> dict:
    """Networks loaded and swapped in; loads that are wrong, cut off, or of another structure; swaps that must wait."""
    import bitwright_driver as bd

    told = {"classes": [], "errors": {}}
    errors = told["errors"]
    frames = vectors(folder)["frames"]
    with bd.Accelerator(folder, batch_frames=16) as accelerator:
        told["structure"] = accelerator.structure
        told["crcs"] = [accelerator.weights_crc]
        errors["nothing"] = raised(accelerator.swap)
        for name in ("1.load", "2.load", "1.load"):
            before = accelerator.run(frames).scores.tolist()
            accelerator.load(folder / name)
            told["classes"].append(accelerator.run(frames).scores.tolist() == before)
            accelerator.swap()
            told["classes"].append(accelerator.run(frames).scores.tolist())
            told["crcs"].append(accelerator.weights_crc)
        errors["missing"] = raised(lambda: accelerator.load(folder / "absent.load"))
        errors["damaged"] = raised(lambda: accelerator.load(folder / "damaged.load"))
        errors["foreign"] = raised(lambda: accelerator.load(folder / "foreign.load"))
        writing = accelerator._write
        accelerator._write = lambda name, values: writing(name, values[:-1] if name == "LOAD_DATA" else values)
        errors["cut"] = raised(lambda: accelerator.load(folder / "2.load"))
        accelerator._write = writing
        errors["after a cut"] = raised(accelerator.swap)
        accelerator.load(folder / "2.load")
        # half a frame stays inside: the send channel stops in its middle
        slot = bd._Slot(1, accelerator.design)
        board().fault("stall send", 2)
        accelerator._dma.send.start(slot.frames, slot.frames.nbytes)
        errors["half a frame"] = raised(accelerator.swap)
        accelerator.reset()
        accelerator.swap()
        told["classes"].append(accelerator.run(frames).scores.tolist())
        slot.free()
    return told


def ultra_scenario(folder: Path) -> dict:
    """What pynq sets of a Zynq UltraScale+; ports of other widths, a PLL that is too fast, memory out of reach."""
    import bitwright_driver as bd
    import pynq
    import pynq_device

    device = board()
    processor = device.processor
    expected = vectors(folder)
    frames = expected["frames"]
    told = {"arch": device.arch, "booted": processor.registers[processor.AFIFM2] & 3}
    io_pll = processor.registers[processor.CRL + 0x20]
    processor.registers[processor.CRL + 0x20] = 1 << 16 | 90 << 8  # 1,500 MHz, and the overlay is made for 1,000
    with bd.Accelerator(folder) as accelerator:
        told["fast PLL"] = [accelerator.clock_mhz, equal(accelerator.run(frames), expected, len(frames))]
    processor.registers[processor.CRL + 0x20] = io_pll
    with bd.Accelerator(folder, batch_frames=50) as accelerator:
        told["clock"] = accelerator.clock_mhz
        told["parameters"] = accelerator.overlay.ip_dict["zynq_ultra_ps_e_0"]["parameters"]
        told["addresses"] = [accelerator.overlay.ip_dict[name]["phys_addr"] for name in (bd.DMA, bd.ACCELERATOR)]
        told["widths"] = [
            processor.registers[processor.AXI_FS] >> 8 & 3,
            processor.registers[processor.AFIFM2] & 3,
            processor.registers[processor.AFIFM2 + 0x14] & 3,
        ]
        told["aligned"] = all(pynq.allocate((k,), np.int64).device_address % 16 == 0 for k in (1, 3, 5))
        slot = bd._Slot(1, accelerator.design)
        told["far"] = raised(lambda: accelerator._dma.send.start(_Far(), slot.frames.nbytes))
        slot.free()
        processor.registers[processor.AFIFM2 + 0x14] |= 1
        try:
            accelerator.run(frames)
            told["narrow"] = ""
        except pynq_device.BoardFaultError as error:
            told["narrow"] = str(error)
        processor.registers[processor.AFIFM2 + 0x14] &= ~3
        told["after"] = equal(accelerator.run(frames), expected, len(frames))
    return told


class _Far:
    """A buffer beyond the DMA's addresses."""

    device_address = 0x8_0000_0000


SCENARIOS = {
    "ultra": ultra_scenario,
    "loads": loads_scenario,
    "run": run_scenario,
    "register_map": register_map_scenario,
    "faults": fault_scenario,
    "wrong_frames": wrong_frames_scenario,
    "open": open_scenario,
    "pace": pace_scenario,
    "tested": tested_scenario,
    "stale": stale_scenario,
}


def main() -> None:
    warnings.simplefilter("ignore")  # pynq's own
    told = {}
    for argument in sys.argv[1:]:
        name, _, folder = argument.partition("=")
        sys.path.insert(0, folder)
        told[name] = SCENARIOS[name.partition(":")[0]](Path(folder))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
