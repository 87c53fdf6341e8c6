"""All proofs, as data. `make prove` runs them all, continuous integration the quick ones.

What they say is in docs/proofs.md.
"""

from collections.abc import Callable
from functools import partial

from amaranth.lib import wiring

from bitwright_core.framing import InputFormat
from bitwright_core.network import Windows
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_hw.families import ECP5, GENERIC, GOWIN, ICE40, XC7
from bitwright_hw.fork import Fork
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.frame_collector import FrameCollector
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.image_pool import ImagePool, PoolParams, Reduction
from bitwright_hw.join import Join, JoinInput, JoinParams
from bitwright_hw.pixel_source import PixelSource, SourceParams
from bitwright_hw.results import ResultQueue
from bitwright_hw.scores import ScoreParams
from bitwright_hw.serial.feeder import Feeder
from bitwright_hw.serial.hdlc import Framer
from bitwright_hw.serial.inbox import Inbox
from bitwright_hw.tokens import FrameTokens
from bitwright_hw.window import Window
from bitwright_hw.window_params import WindowParams
from tests.proofs import arithmetic, cells, control, graphs, images, loads, serial, streams, tables, tails, top
from tests.proofs.paths import no_ready_paths
from tests.proofs.proof import Proof, cases

gearbox = cases("gearbox", "Gearbox", build=streams.gearbox)
mask = cases("padding-mask", "PaddingMask", build=streams.padding_mask)
fifo = cases("credit-fifo", "credit_fifo", build=streams.tokened_fifo)
tokens = cases("frame-tokens", "FrameTokens", build=streams.frame_tokens)
buffer = cases("frame-buffer", "FrameBuffer", build=streams.frame_queue, buffer=True)
queue = cases("frame-queue", "FrameQueue", build=streams.frame_queue)
collector = cases("frame-collector", "FrameCollector", build=tables.frame_collector)
luts = cases("luts", "LutNeurons", build=tables.lut_layer, settles=2)
comparing = cases("comparing-neurons", "ComparingNeurons", build=tables.comparing_neurons, settles=2)
sums = cases("group-sums", "GroupSums", build=tables.group_sums)
fork = cases("fork", "Fork", build=graphs.fork)
join = cases("join", "Join", build=graphs.join)
lanes = cases("lanes", "LaneUnit", build=graphs.lanes)
source = cases("pixel-source", "PixelSource", build=images.source)
axis = cases("pool-axis", "PoolAxis", build=images.pool_axis)
pool = cases("max-pool", "ImagePool", build=images.max_pool)
window = cases("window", "Window", build=images.window)
scores = cases("scores", "ScoreUnit", "ArgMax", build=tails.scores)
tail = cases("tail", "ResultQueue", "ScoreUnit", "ArgMax", build=tails.tail)
guard = cases("frame-guard", "FrameGuard", build=control.frame_guard)
registers = cases("registers", "Control", build=control.registers)
banked = cases("banked-memory", "BankedMemory", build=loads.banked_memory)
loader = cases("weight-loader", "WeightLoader", build=loads.loader)
uart = cases("uart", "UartTransmitter", "UartReceiver", build=serial.uart, resets=False)
breaks = cases("break-detector", "BreakDetector", build=serial.break_detector)
packets = cases("packets", "Framer", "Deframer", build=serial.packets_through_the_line)
damaged = cases("damaged-packets", "Deframer", build=serial.damaged_packets, resets=False)
feeder = cases("feeder", "Feeder", build=serial.feeder)
inbox = cases("inbox", "Inbox", build=serial.inbox)
encoder = cases("encoder", "Encoder", build=arithmetic.encoder)
table = cases("table-encoder", "TableEncoder", build=arithmetic.encoder)
beat_bits = cases("beat-bits", "BeatBits", build=arithmetic.encoder)
row_encoder = cases("row-encoder", "RowEncoder", build=arithmetic.encoder)
row_table = cases("row-table-encoder", "RowTableEncoder", build=arithmetic.encoder)
counter = cases("xc7-counter", "AccumulateRow", build=arithmetic.xc7_counter, equal=True, family=XC7)
chain = cases("ecp5-chain", "AccumulateRow", build=arithmetic.ecp5_chain, equal=True, family=ECP5)
gowin_chain = cases("gowin-chain", "AccumulateRow", build=arithmetic.gowin_chain, equal=True, family=GOWIN)
rows = cases("small-rows", "AccumulateRow", "XnorPopcount", build=arithmetic.small_rows, equal=True)
row = cases("row", "AccumulateRow", build=arithmetic.accumulate_row)
popcount = cases("popcount", "XnorPopcount", build=arithmetic.xnor_popcount)
lut_rom = cases("lut-rom", "LutRom", build=arithmetic.lut_rom, family=XC7)
preloads = cases("preloads", "Preloads", build=arithmetic.preloads)
levels = cases("levels", "LevelUnit", build=arithmetic.levels)
product_rows = cases("product-rows", "ProductRow", build=arithmetic.product_rows, equal=True)
engine = cases("engine", "MatrixEngine", "Rom", build=arithmetic.engine)
integers = cases("integer-engine", "MatrixEngine", "IntegerRow", "Rom", build=arithmetic.engine)
serial_engines = cases(
    "serial-engine", "MatrixEngine", "SerialRow", "PlaneCounter", "Rom", build=arithmetic.serial_engine
)
whole = cases("accelerator", "AcceleratorCore", build=top.accelerator)
axi = cases("axi-accelerator", "AxiAccelerator", build=top.axi_accelerator)
hardwired = cases("hardwired", "HardwiredEngine", build=arithmetic.hardwired)


def paths(make: Callable[[], wiring.Component], component: str, case: str = "any", quick: bool = True) -> Proof:
    """The proof that no stream of what `make` makes has a path from its ready to what it shows."""
    return Proof(
        group="ready-paths",
        case=f"{component}-{case}" if case != "any" else component,
        components=(component,),
        check=no_ready_paths,
        arguments={"make": make},
        quick=quick,
    )


_WINDOWS = Windows(image=(3, 3), kernel=(2, 2), stride=(1, 1), padding=(1, 1, 1, 1))
_SCORES = ScoreParams(pe=2, bits=2, spacing=1, inputs=1, scale=(1, 1, 1), offset=(0, 0, 0))

_PATHS = (
    *(
        paths(partial(Gearbox, in_width=a, out_width=b, bits=11), "Gearbox", f"{a}-{b}", quick=False)
        for a, b in ((2, 2), (2, 4), (4, 2), (2, 3), (3, 2))
    ),
    paths(partial(FrameBuffer, width=2, words=3, banks=2, repeats=2), "FrameBuffer", quick=False),
    paths(partial(FrameQueue, in_width=2, out_width=3, bits=7, banks=2, repeats=2), "FrameQueue", quick=False),
    paths(partial(FrameTokens, pixels=3), "FrameTokens", quick=False),
    paths(partial(FrameCollector, in_width=2, bits=5, ahead=2), "FrameCollector", quick=False),
    paths(partial(Fork, branches=2), "Fork", quick=False),
    paths(
        partial(
            Join,
            params=JoinParams(inputs=(JoinInput(in_width=1, out_width=2, bits=2, capacity=2),) * 2, beside=False),
        ),
        "Join",
        quick=False,
    ),
    paths(
        partial(PixelSource, params=SourceParams(beat_lanes=2, lane_bits=1, pixels=3, channels=2, width=1)),
        "PixelSource",
        quick=False,
    ),
    paths(
        partial(
            ImagePool,
            params=PoolParams(
                windows=Windows(image=(4, 4), kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0)), width=2, words=2
            ),
        ),
        "ImagePool",
        quick=False,
    ),
    paths(
        partial(
            Window,
            params=WindowParams(windows=_WINDOWS, channels=2, in_width=1, simd=3, passes=2, capacity=8),
        ),
        "Window",
        quick=False,
    ),
    paths(partial(ResultQueue, params=_SCORES, slots=2, scores=True), "ResultQueue", quick=False),
    paths(top.small_accelerator, "AcceleratorCore", quick=False),
    paths(top.small_axi_accelerator, "AxiAccelerator"),
    paths(
        partial(Feeder, format=InputFormat(values=3, value_bits=8, data_bits=16, encoded=False)), "Feeder", quick=False
    ),
    paths(Framer, "Framer", quick=False),
    paths(control.axi_control, "Control", quick=False),
    paths(partial(Inbox, depth=4, packets=2, frame_bytes=2, answer_bytes=1), "Inbox", quick=False),
)

cell = cases("cells", build=cells.cell, equal=True)
_LUT = {f"I{k}": 1 for k in range(6)}
_XILINX = {"of": XC7, "theirs": "xilinx/cells_sim.v"}
_MUX = {"inputs": {"I0": 1, "I1": 1, "S": 1}, "outputs": {"O": 1}}
_CELLS = (
    cell("LUT6", name="LUT6", inputs=_LUT, outputs={"O": 1}, tables=(("INIT", 64),), **_XILINX),
    cell("LUT6_2", name="LUT6_2", inputs=_LUT, outputs={"O6": 1, "O5": 1}, tables=(("INIT", 64),), **_XILINX),
    cell(
        "CARRY4",
        name="CARRY4",
        inputs={"CI": 1, "CYINIT": 1, "DI": 4, "S": 4},
        outputs={"O": 4, "CO": 4},
        **_XILINX,
    ),
    cell("MUXF7", name="MUXF7", **_MUX, **_XILINX),
    cell("MUXF8", name="MUXF8", **_MUX, **_XILINX),
    *(
        cell(
            f"CCU2C-{a}-{b}".lower(),
            of=ECP5,
            name="CCU2C",
            theirs="ecp5/ccu2c_sim.vh",
            inputs=dict.fromkeys(("CIN", "A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1"), 1),
            outputs={"S0": 1, "S1": 1, "COUT": 1},
            tables=(("INIT0", 16), ("INIT1", 16)),
            inner=(("LUT4", "ecp5/common_sim.vh"), ("LUT2", "ecp5/common_sim.vh")),
            settings={"INJECT1_0": a, "INJECT1_1": b},
            quick=(a, b) == ("NO", "NO"),
        )
        for a in ("YES", "NO")
        for b in ("YES", "NO")
    ),
    *(
        cell(
            f"ALU-{mode}",
            of=GOWIN,
            name="ALU",
            theirs="gowin/cells_sim.v",
            inputs=dict.fromkeys(("CIN", "I0", "I1", "I3"), 1),
            outputs={"SUM": 1, "COUT": 1},
            settings={"ALU_MODE": mode},
            quick=mode == 2,
        )
        for mode in (2, 9)
    ),
)

_STREAMS = (
    gearbox("widen-1-3", in_width=1, out_width=3, bits=5, quick=True),
    gearbox("widen-2-4", in_width=2, out_width=4, bits=6),
    gearbox("equal-2", in_width=2, out_width=2, bits=3),
    gearbox("narrow-2-1", in_width=2, out_width=1, bits=3),
    gearbox("narrow-4-2", in_width=4, out_width=2, bits=5, quick=True),
    gearbox("shift-2-3", in_width=2, out_width=3, bits=5, quick=True),
    gearbox("shift-3-2", in_width=3, out_width=2, bits=5),
    gearbox("shift-4-6", in_width=4, out_width=6, bits=7),
    gearbox("shift-3-5", in_width=3, out_width=5, bits=7),
    gearbox("widen-1-3-steady", in_width=1, out_width=3, bits=5, reader_waits=False),
    gearbox("shift-2-3-steady", in_width=2, out_width=3, bits=5, reader_waits=False),
    gearbox("equal-2-steady", in_width=2, out_width=2, bits=3, reader_waits=False),
    mask("2-of-5", width=2, bits=5, quick=True),
    mask("3-of-4", width=3, bits=4),
    fifo("1", depth=1),
    fifo("2", depth=2, quick=True),
    fifo("3", depth=3),
    fifo("5", depth=5),
    collector("2-5-2", in_width=2, bits=5, ahead=2, quick=True),
    collector("1-3-3", in_width=1, bits=3, ahead=3),
    collector("3-3-1", in_width=3, bits=3, ahead=1),
    luts("6-of-9", seed=1, inputs=9, outputs=5, fan_in=6),
    luts("3-of-4", seed=2, inputs=4, outputs=6, fan_in=3, quick=True),
    comparing("2-of-6", seed=3, values=2, bits=4, thresholds=(4, 8, 12), outputs=6, fan_in=2, quick=True),
    comparing("4-of-9", seed=4, values=3, bits=4, thresholds=(3, 8, 10), outputs=6, fan_in=4),
    *(
        sums(f"{of.name}-{stages}-stages", groups=(3, 9), stages=stages, of=of, family=of, settles=stages + 2)
        for of in (GENERIC, XC7, ECP5, GOWIN)
        for stages in (0, 2)
    ),
    tokens("1", pixels=1),
    tokens("3", pixels=3),
    buffer("1x2x2x2", in_width=1, out_width=1, bits=2, banks=2, repeats=2),
    buffer("1x1x3x1", in_width=1, out_width=1, bits=1, banks=3, repeats=1, quick=True),
    queue("equal", in_width=2, out_width=2, bits=3, banks=2, repeats=1),
    queue("widen", in_width=1, out_width=2, bits=3, banks=2, repeats=1),
    queue("narrow", in_width=2, out_width=1, bits=3, banks=2, repeats=2),
    queue("single", in_width=1, out_width=1, bits=1, banks=2, repeats=1, quick=True),
)

_GRAPHS = (
    lanes(
        "sum",
        operands=(("binary", 1, (1,)), ("signed", 2, (-2,)), ("unsigned", 2, (3, 1, 2))),
        size=3,
        lanes=2,
        gives=("signed", 5),
        quick=True,
    ),
    lanes(
        "levels",
        operands=(("signed", 3, (1,)),),
        size=5,
        lanes=2,
        gives=("ternary", 2),
        levels=((-3, 0), (-1, 2), (1, 1), (-4, 4), (0, 3)),
        base=-1,
    ),
    lanes("affine", operands=(("signed", 3, (2, 0, 3)),), size=3, lanes=3, offsets=(-3, 5, 1), gives=("signed", 5)),
    fork("2", branches=2, quick=True),
    fork("3", branches=3),
    join("one-word", inputs=((1, 1, 1), (1, 1, 1)), beside=True, capacity=1, quick=True),
    join("beside", inputs=((1, 2, 2), (2, 2, 2)), beside=True, capacity=2),
    join("words-beside", inputs=((1, 1, 2), (1, 1, 2)), beside=True, capacity=2),
    join("behind-each-other", inputs=((1, 1, 2), (1, 1, 1)), beside=False, capacity=2),
    join("three-behind-each-other", inputs=((1, 1, 1), (1, 1, 1), (1, 1, 1)), beside=False, capacity=1),
)

_IMAGES = (
    source("equal", beat_lanes=1, pixels=2, channels=1, width=1, depth=2),
    source("narrow", beat_lanes=2, pixels=3, channels=1, width=1, depth=2, quick=True),
    source("widen", beat_lanes=2, pixels=1, channels=4, width=4, depth=2),
    source("shift", beat_lanes=2, pixels=1, channels=3, width=3, depth=2),
    source("words", beat_lanes=2, pixels=2, channels=2, width=1, depth=4),
    axis("overlap", size=5, count=2, kernel=3, stride=2, before=0, inner=1, quick=True),
    axis("padded", size=4, count=2, kernel=2, stride=2, before=1, inner=2),
    axis("gaps", size=5, count=2, kernel=1, stride=3, before=0, inner=1),
    axis(
        "sum",
        size=4,
        count=2,
        kernel=3,
        stride=1,
        before=0,
        inner=1,
        how=Reduction(rule="sum", in_bits=2, bits=3, signed=True),
    ),
    axis(
        "largest-signed",
        size=4,
        count=2,
        kernel=2,
        stride=2,
        before=1,
        inner=1,
        how=Reduction(in_bits=2, bits=2, signed=True, least=-2),
        quick=True,
    ),
    pool("3x2-by-2x2", image=(3, 2), kernel=(2, 2), stride=(2, 2), words=1, quick=True),
    pool("2x3-overlapping-two-words", image=(2, 3), kernel=(2, 2), stride=(1, 1), words=2),
    window("1x2", image=(1, 2), kernel=(1, 2), simd=1, quick=True),
    window("2x2-at-once", image=(2, 2), kernel=(2, 2), simd=4),
    window("2x2-two-passes", image=(2, 2), kernel=(2, 2), simd=3, passes=2),
    window("2x2-two-channels", image=(2, 2), kernel=(1, 2), simd=1, channels=2, passes=2),
    window("2x2-padded", image=(2, 2), kernel=(2, 2), padding=(1, 0, 0, 1), simd=4, lane=1),
    window(
        "1x3-strided",
        image=(1, 3),
        kernel=(1, 2),
        padding=(0, 0, 1, 1),
        stride=(1, 2),
        simd=2,
        channels=2,
        in_width=2,
    ),
    window("2x3-tiled", image=(2, 3), kernel=(2, 2), simd=2, spare=1, steps=18),
    window("3x3-padded", image=(3, 3), kernel=(3, 3), padding=(1, 1, 1, 1), simd=3, steps=16),
)

_TAILS = (
    scores("equal", classes=2, pe=2, spacing=2, bits=2, scale=(1, 1), offset=(0, 0), quick=True),
    scores("scaled", classes=3, pe=2, spacing=1, bits=2, scale=(1, 2, 1), offset=(0, -1, 1)),
    tail("class-2", classes=2, pe=2, spacing=1, slots=2, scores=False, quick=True),
    tail("class-2-three-slots", classes=2, pe=2, spacing=1, slots=3, scores=False),
    tail("class-4-of-two", classes=4, pe=4, spacing=2, slots=2, scores=False),
    tail("scores-1", classes=1, pe=1, spacing=1, slots=2, scores=True),
    tail("scores-2-of-one", classes=2, pe=1, spacing=2, slots=2, scores=True),
    tail("scores-3", classes=3, pe=3, spacing=1, slots=2, scores=True, steps=20),
    tail("scores-3-of-two", classes=3, pe=2, spacing=1, slots=2, scores=True, steps=20),
)

_BUSES = (
    guard("two-beats", values=12, data_bits=8, per_beat=False, batch=False, quick=True),
    guard("two-beats-batch", values=12, data_bits=8, per_beat=False, batch=True),
    guard("two-beats-token-each", values=12, data_bits=8, per_beat=True, batch=False),
    guard("one-beat", values=7, data_bits=8, per_beat=False, batch=False),
    guard("three-beats-of-two-bytes", values=37, data_bits=16, per_beat=False, batch=False),
    guard("three-beats-batch", values=37, data_bits=16, per_beat=True, batch=True),
    registers("any-traffic", quick=True),
    banked("2-words", width=1, depth=2, quick=True),
    banked("3-words-of-2", width=2, depth=3),
    loader("two-memories", memories=((2, 1), (1, 2)), word=2, quick=True),
    loader("one-bit", memories=((1, 1),), word=2),
)

_SERIAL = (
    uart("4-cycles-a-bit", divisor=4, steps=100, reach=80),
    packets("turning-crc", quick=False, reach=60),
    damaged("1-byte", length=1, steps=14, reach=30),
    breaks("5-cycles", cycles=5),
    feeder("3-bytes", values=3, data_bits=16, quick=True),
    feeder("4-bytes", values=4, data_bits=16),
    inbox("4-bytes", depth=4, packets=2, frame_bytes=2, answer_bytes=1, steps=30, reach=60),
)

_ENCODERS = (
    encoder("thermometer", value_bits=4, lanes=2, rows=((3, 9),), values=2),
    table("2-bit", value_bits=2, lanes=2, rows=((1, 0, 3, 2),), values=2, table=2),
    beat_bits("one-row", value_bits=4, lanes=2, rows=((3, 9),), values=2, raw=(2, 3), quick=True),
    beat_bits("a-row-each", value_bits=3, lanes=2, rows=tuple((k % 9,) for k in range(19)), values=19, raw=(1,)),
    row_encoder("few-rows", value_bits=4, lanes=2, rows=((3,), (9,), (0,)), values=3, quick=True),
    row_encoder("a-row-each", value_bits=3, lanes=1, rows=tuple((k % 9,) for k in range(11)), values=11),
    row_table("few-rows", value_bits=2, lanes=2, rows=((1, 0, 3, 2), (2, 1, 0, 3), (0, 1, 3, 2)), values=3, table=2),
    row_table("shifted", value_bits=2, lanes=1, rows=((0, 1, 2, 3), (1, 2, 3, 4)), values=2, table=3),
)

_ARITHMETIC = (
    *(
        counter(f"{lanes}-lanes-{bits}-bits", lanes=lanes, bits=bits, quick=(lanes, bits) == (2, 1))
        for lanes, bits in ((1, 0), (2, 0), (2, 1), (1, 1), (0, 2), (0, 3), (0, 6), (0, 7))
    ),
    chain("three-sums"),
    gowin_chain("four-sums", quick=True),
    *(
        rows(f"{of.name}-{simd}", simd=simd, of=of, family=of, quick=simd == 3)
        for of in (XC7, ECP5, GOWIN)
        for simd in range(1, 11)
    ),
    *(
        row(f"{of.name}-{stages}-stages", simd=3, stages=stages, of=of, family=of, quick=of is GENERIC and stages == 1)
        for of in (GENERIC, XC7, ECP5, ICE40, GOWIN)
        for stages in (0, 1, 2)
    ),
    row("single", simd=3, stages=1, single=True),
    *(
        popcount(f"{of.name}-{stages}-stages", simd=5, stages=stages, of=of, family=of)
        for of in (GENERIC, XC7, ECP5, GOWIN)
        for stages in (0, 2)
    ),
    lut_rom("5-words", width=3, words=5, seed=1, quick=True),
    lut_rom("40-words", width=2, words=40, seed=2),
    lut_rom("200-words", width=1, words=200, seed=3),
    lut_rom("300-words", width=1, words=300, seed=4),
    preloads("two-passes", values=((1, 2, 3), (3, 0, 1)), bits=2, apart=2, quick=True),
    preloads("borders", values=((1, 2), (3, 0), (2, 1)), bits=2, apart=1, rows=(0, 1), columns=(0, 1, 0)),
    levels(
        "one-at-a-time",
        others=(((2, 6), (0, 5)), ((4, 4), (3, 7))),
        bits=3,
        middle=1,
        base=0,
        code_bits=2,
        apart=2,
        quick=True,
    ),
    levels("all-at-a-time", others=(((2,), (1,)), ((2,), (0,))), bits=2, middle=1, base=-1, code_bits=2, apart=1),
    levels(
        "two-of-three", others=(((2,), (0,), (1,)), ((0,), (2,), (2,))), bits=2, middle=1, base=-1, code_bits=2, apart=2
    ),
    levels(
        "borders",
        others=(((2,),), ((1,),)),
        bits=2,
        middle=1,
        base=-1,
        code_bits=2,
        apart=1,
        rows=(0, 1, 0),
        columns=(0,),
    ),
    *(
        product_rows(
            f"{of.name}-{takes.kind}-{takes.bits}-{weights.kind}-{weights.bits}",
            simd=simd,
            takes=takes,
            weights=weights,
            of=of,
            family=of,
            quick=of is XC7 and weights.xnor and takes.bits == 2 and not takes.signed,
        )
        for of in (GENERIC, XC7, ECP5, GOWIN)
        for takes, weights, simd in (
            (unsigned_type(2), BINARY, 3),
            (unsigned_type(3), BINARY, 2),
            (signed_type(2), BINARY, 3),
            (BINARY, signed_type(2), 3),
            (unsigned_type(2), signed_type(2), 2),
            (signed_type(2), signed_type(2), 2),
        )
    ),
    engine("3x3-folded", seed=1, outputs=3, inputs=3, pe=2, simd=2, quick=True),
    engine("3x3-two-stages", seed=2, outputs=3, inputs=3, pe=3, simd=1, stages=2, read_latency=2),
    engine("2x3-xc7", seed=1, outputs=2, inputs=3, pe=1, simd=3, of=XC7, memory="distributed", stages=1, family=XC7),
    engine("2x4-ecp5", seed=3, outputs=2, inputs=4, pe=2, simd=2, of=ECP5, stages=1, family=ECP5),
    engine("2x4-gowin", seed=3, outputs=2, inputs=4, pe=2, simd=2, of=GOWIN, stages=1, family=GOWIN),
    engine("2x3-scores", seed=4, outputs=2, inputs=3, pe=2, simd=2, scores=True),
    integers("2x2-single-lane", seed=1, outputs=2, inputs=2, pe=2, simd=1, bits=2),
    integers("2x3-pairs", seed=2, outputs=2, inputs=3, pe=1, simd=2, bits=2),
    integers("2x4-four-lanes", seed=3, outputs=2, inputs=4, pe=2, simd=4, bits=2),
    *(
        serial_engines(
            f"{of.name}-{takes.kind}-{takes.bits}-{weights.kind}-{weights.bits}",
            seed=seed,
            outputs=2,
            inputs=inputs,
            pe=pe,
            simd=2,
            takes=takes,
            weights=weights,
            of=of,
            family=of,
            stages=stages,
            scores=seed == 2,
            quick=seed == 0,
        )
        for seed, (of, takes, weights, inputs, pe, stages) in enumerate(
            (
                (GENERIC, unsigned_type(2), BINARY, 3, 1, 0),
                (XC7, unsigned_type(2), signed_type(2), 2, 1, 1),
                (ECP5, signed_type(2), BINARY, 3, 2, 1),
                (GOWIN, signed_type(2), BINARY, 3, 2, 1),
                (GENERIC, BINARY, TERNARY, 3, 1, 0),
            )
        )
    ),
    *(
        hardwired(
            f"{of.name}-{seed}",
            seed=seed,
            outputs=outputs,
            inputs=inputs,
            of=of,
            family=of,
            stages=stages,
            settles=stages + 3,
            quick=seed == 1 and of is XC7,
        )
        for of in (GENERIC, XC7, ECP5, ICE40, GOWIN)
        for seed, (outputs, inputs, stages) in enumerate(((5, 9, 0), (4, 7, 1), (6, 12, 2), (3, 3, 0)))
    ),
    hardwired("xc7-scores", seed=5, outputs=4, inputs=8, of=XC7, family=XC7, scores=True, stages=1, settles=4),
)

_TOPS = (
    whole("class-a-cycle-quick", kind="class-a-cycle", steps=16, quick=True),
    *(whole(kind, kind=kind, steps=20) for kind in top.SMALL),
    axi("class-a-cycle", kind="class-a-cycle", steps=20),
    axi("bits", kind="bits", steps=16),
)

PROOFS: tuple[Proof, ...] = (
    *_PATHS,
    *_STREAMS,
    *_GRAPHS,
    *_IMAGES,
    *_TAILS,
    *_BUSES,
    *_SERIAL,
    *_ENCODERS,
    *_ARITHMETIC,
    *_CELLS,
    *_TOPS,
)
BY_NAME = {proof.name: proof for proof in PROOFS}
GROUPS = tuple(dict.fromkeys(proof.group for proof in PROOFS))
