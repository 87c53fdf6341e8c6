"""bitwright turns a trained binary neural network into an FPGA accelerator and proves it bit-exact.

    import bitwright as bw

    network = bw.load("network.safetensors")
    plan = bw.size(network, cycles=256, scores=True)
    design = bw.generate(network, plan, "design")
    report = bw.verify(design, data="digits")

Names load on first use: importing bitwright loads neither NumPy, torch nor cocotb.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright.api import (
        build,
        confusion,
        conv_layer,
        dense_layer,
        estimate,
        explore,
        explore_accuracy,
        export,
        export_onnx,
        frame_waves,
        generate,
        import_bnn_pynq,
        import_dwn,
        import_onnx,
        load,
        load_frames,
        package_ip,
        play,
        predict,
        program,
        report,
        run_serial,
        search,
        simulate,
        size,
        synth,
        train_features,
        train_generator,
        train_network,
        verify,
        verify_loads,
        weights,
        write_testbench,
    )
    from bitwright_boards.program import Job
    from bitwright_boards.ssh import Login
    from bitwright_core.design import Design
    from bitwright_core.errors import BitwrightError
    from bitwright_core.network import Network
    from bitwright_core.plan import Plan

    __version__: str

_HOMES = {
    "BitwrightError": "bitwright_core.errors",
    "Design": "bitwright_core.design",
    "Job": "bitwright_boards.program",
    "Login": "bitwright_boards.ssh",
    "Network": "bitwright_core.network",
    "Plan": "bitwright_core.plan",
}  # and of all others: bitwright.api

__all__ = [
    "BitwrightError",
    "Design",
    "Job",
    "Login",
    "Network",
    "Plan",
    "__version__",
    "build",
    "confusion",
    "conv_layer",
    "dense_layer",
    "estimate",
    "explore",
    "explore_accuracy",
    "export",
    "export_onnx",
    "frame_waves",
    "generate",
    "import_bnn_pynq",
    "import_dwn",
    "import_onnx",
    "load",
    "load_frames",
    "package_ip",
    "play",
    "predict",
    "program",
    "report",
    "run_serial",
    "search",
    "simulate",
    "size",
    "synth",
    "train_features",
    "train_generator",
    "train_network",
    "verify",
    "verify_loads",
    "weights",
    "write_testbench",
]


def __getattr__(name: str) -> object:
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("bitwright")
    elif name in __all__:
        value = getattr(import_module(_HOMES.get(name, "bitwright.api")), name)
    else:
        raise AttributeError(f"module 'bitwright' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
