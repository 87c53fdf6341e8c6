"""bitwright from Python: the commands of the command line as functions, for scripts and notebooks.

    import bitwright as bw

    bw.train_network("digits", "run")                     # or bring a network file of your own
    network = bw.load("run/network.safetensors")
    plan = bw.size(network, cycles=64, scores=True)       # PE and SIMD of each layer
    design = bw.generate(network, plan, "design")         # Verilog, plan.toml, manifest.json
    bw.simulate(design)                                   # protocol benches, cocotb
    report = bw.verify(design, data="digits")             # a whole test set, bit for bit
    bw.synth(design, family="xc7").total                  # LUTs, flip-flops, block RAM, by Yosys
    bw.build(design, "ulx3s-85f", "design-ulx3s")         # a bitstream, or a Vivado project
    bw.package_ip(design, "design-ip")                    # an IP for a Vivado design of your own
    bw.program(design, "digits", host="192.168.2.99")     # frames through a PYNQ board

Every function raises a subclass of BitwrightError, with one sentence, for what a user can get wrong.
`progress(what, done, total)` is called while a function that takes seconds works; in a notebook, bars without it.
"""

from bitwright.api.boards import TEST_VECTORS, build, build_folder, package_ip, program, run_serial
from bitwright.api.common import PathLike, needs_extra
from bitwright.api.designs import frame_waves, generate, simulate, synth, verify, write_testbench
from bitwright.api.frames import RANDOM_FRAMES, Frames, default_data_dir, load_frames
from bitwright.api.loads import verify_loads, weights
from bitwright.api.networks import (
    confusion,
    export,
    export_onnx,
    import_bnn_pynq,
    import_dwn,
    import_onnx,
    is_generator,
    load,
    predict,
    train_features,
    train_generator,
    train_network,
)
from bitwright.api.playing import play
from bitwright.api.reports import report
from bitwright.api.searching import search
from bitwright.api.sizing import estimate, explore, explore_accuracy, size
from bitwright_core.layer import conv_layer, dense_layer
from bitwright_core.progress import Progress

__all__ = [
    "RANDOM_FRAMES",
    "TEST_VECTORS",
    "Frames",
    "PathLike",
    "Progress",
    "build",
    "build_folder",
    "confusion",
    "conv_layer",
    "default_data_dir",
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
    "is_generator",
    "load",
    "load_frames",
    "needs_extra",
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
