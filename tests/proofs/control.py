"""Specs of what faces the buses: the guard of the input stream, the AXI4-Lite registers."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring

from bitwright_core.framing import InputFormat
from bitwright_core.registers import COUNTERS, REGISTERS
from bitwright_hw.control import RESET_CYCLES, Control
from bitwright_hw.frame_guard import FrameGuard
from tests.proofs.spec import Spec, moves_within


def axis_sender(spec: Spec, name: str, *, ready: Signal, keep_bits: int, data_bits: int) -> dict[str, Signal]:
    """A free AXI4-Stream sender: what it offers stays until it is taken."""
    m = spec.m
    signals = {
        "valid": spec.free(f"{name}_valid"),
        "data": spec.free(f"{name}_data", data_bits),
        "keep": spec.free(f"{name}_keep", keep_bits),
        "last": spec.free(f"{name}_last"),
    }
    beat = Cat(signals["data"], signals["keep"], signals["last"])
    waits, before = Signal(name=f"{name}_waits"), Signal(len(beat), name=f"{name}_before")
    m.d.sync += [waits.eq(signals["valid"] & ~ready), before.eq(beat)]
    spec.assume(~waits | (signals["valid"] & (beat == before)))
    return signals


def frame_guard(spec: Spec, *, values: int, data_bits: int, per_beat: bool, batch: bool) -> None:
    """A FrameGuard between a sender of any packets and buffers that give tokens at any time.

    The rules are written once more here: a packet's beats up to a frame's last make the frame, what lacks is zeros,
    what exceeds is thrown away; the frame is good if packet and TKEEP are as they should be.
    """
    m = spec.m
    fmt = InputFormat(values=values, value_bits=1, data_bits=data_bits, encoded=True)
    beats, lanes = fmt.beats, data_bits // 8
    m.submodules.guard = guard = FrameGuard(format=fmt, token_beats=1 if per_beat else None)
    stream = axis_sender(spec, "s", ready=guard.i.ready, keep_bits=lanes, data_bits=data_bits)
    valid, keep, last = stream["valid"], stream["keep"], stream["last"]
    space = spec.free("space")
    m.d.comb += [
        guard.i.valid.eq(valid),
        guard.i.payload.data.eq(stream["data"]),
        guard.i.payload.keep.eq(keep),
        guard.i.payload.last.eq(last),
        guard.space.valid.eq(space),
        guard.batch.eq(batch),
    ]
    taken = valid & guard.i.ready

    # Where the packet stands, and how its frame does
    at = Signal(range(beats + 1))  # beats of the frame that came in or were filled up
    short, excess, bad = Signal(), Signal(), Signal()  # the frame ended early; beats beyond it; a wrong TKEEP
    final = at == beats - 1
    used_bytes = fmt.bytes - (beats - 1) * lanes
    used_bits = values - (beats - 1) * data_bits
    wanted = Mux(final, (1 << used_bytes) - 1, (1 << lanes) - 1)
    wrong = ((keep & wanted) != wanted) if batch else keep != wanted
    if batch:
        wrong = Mux(final, wrong, keep != wanted)
    comes, fills = taken & ~excess, short
    leaves = Signal()
    m.d.comb += leaves.eq(guard.o.valid)
    spec.claim("a beat leaves with each of a frame's that comes, or fills one up", leaves | ~comes)
    spec.claim("no beat leaves else", ~leaves | comes | fills)
    spec.claim("none is taken while a frame is filled up", ~(taken & fills))
    data = Mux(final, stream["data"] & ((1 << used_bits) - 1), stream["data"])
    spec.claim("its data are the beat's, zeros where nothing came", ~leaves | (guard.o.payload == Mux(fills, 0, data)))
    spec.claim("the verdict comes with a frame's last beat", guard.verdict.valid == (leaves & final))
    good = ~fills & ~bad & ~wrong & (1 if batch else last)
    spec.claim("a frame is kept if all of it is right", ~(leaves & final) | (guard.verdict.payload.drop == ~good))
    ends = comes & last
    spec.claim("whether it ends a packet is told", ~(leaves & final) | (guard.verdict.payload.last == ends))
    spec.claim("short is told", guard.short == (comes & last & ~final))
    spec.claim("long is told", guard.long == (comes & final & ~last & (not batch)))
    spec.claim("a wrong TKEEP is told", guard.keep == (comes & wrong & ~(last & ~final)))
    spec.claim("busy from a frame's first beat to its last", guard.busy == (at != 0))
    with m.If(leaves):
        m.d.sync += [at.eq(Mux(final, 0, at + 1)), bad.eq((bad | (comes & wrong)) & ~final)]
        m.d.sync += short.eq((short | (comes & last)) & ~final)
    with m.If(comes & final & ~last & (not batch)):
        m.d.sync += excess.eq(1)
    with m.If(excess & taken & last):
        m.d.sync += excess.eq(0)

    # Tokens: one in hand for what leaves, never two
    held = Signal(range(3))
    uses = leaves if per_beat else leaves & (at == 0)
    gets = space & guard.space.ready
    m.d.sync += held.eq(held + gets - uses)
    spec.claim("nothing leaves without a token", ~uses | (held != 0))
    spec.claim("no more than one token waits", held <= 1)
    room = space | (held != 0) | excess | (0 if per_beat else at != 0)
    offered = (valid | fills) & room
    moves_within(spec, "a beat moves once there is room", waiting=offered, moves=taken | leaves, cycles=2)
    spec.cover("a good frame", guard.verdict.valid & ~guard.verdict.payload.drop)
    spec.cover("a bad one", guard.verdict.valid & guard.verdict.payload.drop)
    if beats > 1:
        spec.cover("one that is filled up", guard.verdict.valid & fills)
    if not batch:
        spec.cover("beats beyond a frame", excess & taken & ~last)


AXI_LITE = {"awaddr": 8, "awprot": 3, "wdata": 32, "wstrb": 4, "araddr": 8, "arprot": 3}
AXI_LITE |= dict.fromkeys(("awvalid", "wvalid", "bready", "arvalid", "rready"), 1)


def axi_lite_manager(spec: Spec, bus: dict[str, Signal]) -> dict[str, Signal]:
    """A free AXI4-Lite manager that keeps the rules: what it offers stays until it is taken. `bus` has the
    subordinate's outputs by name; the manager's are returned."""
    m = spec.m
    outs = {name: spec.free(f"axi_{name}", shape) for name, shape in AXI_LITE.items()}
    for channel, fields in (("aw", ("awaddr", "awprot")), ("w", ("wdata", "wstrb")), ("ar", ("araddr", "arprot"))):
        value = Cat(*(outs[field] for field in fields))
        waits, before = Signal(name=f"{channel}_waits"), Signal(len(value), name=f"{channel}_before")
        m.d.sync += [waits.eq(outs[f"{channel}valid"] & ~bus[f"{channel}ready"]), before.eq(value)]
        spec.assume(~waits | (outs[f"{channel}valid"] & (value == before)))
    return outs


def axi_lite_rules(spec: Spec, bus: dict[str, Signal], outs: dict[str, Signal]) -> None:
    """Claims of an AXI4-Lite subordinate (Arm IHI 0022): answers hold, none comes without its request, none is lost."""
    m = spec.m
    for channel, fields in (("b", ("bresp",)), ("r", ("rdata", "rresp"))):
        value = Cat(*(bus[field] for field in fields))
        valid, ready = bus[f"{channel}valid"], outs[f"{channel}ready"]
        waits, before = Signal(name=f"{channel}_waits"), Signal(len(value), name=f"{channel}_before")
        m.d.sync += [waits.eq(valid & ~ready), before.eq(value)]
        spec.claim(f"{channel}valid holds", ~waits | valid)
        spec.claim(f"what is on {channel} is stable", ~waits | (value == before))
        spec.claim(f"{channel}resp is OKAY", bus[f"{channel}resp"] == 0)
    done = {name: outs[f"{name}valid"] & bus[f"{name}ready"] for name in ("aw", "w", "ar")}
    done |= {name: bus[f"{name}valid"] & outs[f"{name}ready"] for name in ("b", "r")}
    open_ = {name: Signal(range(4), name=f"open_{name}") for name in ("aw", "w", "ar")}  # requests without answer
    for name, answer in (("aw", "b"), ("w", "b"), ("ar", "r")):
        m.d.sync += open_[name].eq(open_[name] + done[name] - done[answer])
        spec.claim(f"no answer on {answer} without its {name}", ~bus[f"{answer}valid"] | (open_[name] != 0))
        spec.claim(f"no more than two open on {name}", open_[name] <= 2)
    both = (open_["aw"] != 0) & (open_["w"] != 0)
    moves_within(spec, "a write is answered", waiting=both & outs["bready"], moves=bus["bvalid"], cycles=3)
    moves_within(spec, "a read is answered", waiting=open_["ar"] != 0, moves=bus["rvalid"], cycles=2)
    for name in ("aw", "w", "ar"):
        waiting = outs[f"{name}valid"] & outs["bready"] & outs["rready"]
        lacks = open_["aw"] > open_["w"] if name == "aw" else open_["w"] > open_["aw"] if name == "w" else 0
        moves_within(spec, f"{name} is taken", waiting=waiting & ~lacks, moves=done[name], cycles=4)
    for name in ("b", "r"):
        spec.cover(f"an answer on {name} is taken", done[name])


class AxiControl(wiring.Component):
    """Control with its domain `axi` made of `sync`."""

    def __init__(self, control: Control):
        self.control = control
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.axi = ClockDomain()
        m.d.comb += [ClockSignal("axi").eq(ClockSignal()), ResetSignal("axi").eq(ResetSignal())]
        m.submodules.control = self.control
        return m


def axi_control() -> wiring.Component:
    """A Control in a domain that there is, with its bus for ports."""
    return DomainRenamer({"axi": "sync"})(Control(constants=CONSTANTS))


def bus_of(control: Control) -> dict[str, Signal]:
    return {name: getattr(control.bus, name) for name in control.bus.signature.members}


CONSTANTS = {"IDENTITY": 0x42545752, "OUTPUTS": 10}


def registers(spec: Spec) -> None:
    """Control behind any traffic: the registers are those of a model, which knows nothing of channels and waits."""
    m = spec.m
    control = Control(constants=CONSTANTS)
    m.submodules.dut = AxiControl(control)
    bus = bus_of(control)
    outs = axi_lite_manager(spec, bus)
    for name, value in outs.items():
        m.d.comb += bus[name].eq(value)
    count, errors, busy = spec.free("count", len(COUNTERS)), spec.free("errors", 3), spec.free("busy")
    m.d.comb += [control.count.eq(count), control.errors.eq(errors), control.busy.eq(busy)]
    axi_lite_rules(spec, bus, outs)

    # The oldest write of those that are taken, and the cycle in which it acts: the one after both parts are there
    address, have_address = Signal(8, name="model_address"), Signal(name="model_have_address")
    data, strobe = Signal(32, name="model_data"), Signal(4, name="model_strobe")
    have_data = Signal(name="model_have_data")
    acts = have_address & have_data & (~bus["bvalid"] | outs["bready"])
    with m.If(acts):
        m.d.sync += [have_address.eq(0), have_data.eq(0)]
    with m.If(outs["awvalid"] & bus["awready"]):
        m.d.sync += [address.eq(outs["awaddr"]), have_address.eq(1)]
    with m.If(outs["wvalid"] & bus["wready"]):
        m.d.sync += [data.eq(outs["wdata"]), strobe.eq(outs["wstrb"]), have_data.eq(1)]
    to = {name: acts & strobe[0] & (address[2:] == REGISTERS[name] // 4) for name in ("CONTROL", "ERRORS")}

    resetting, batch, seen = Signal(range(RESET_CYCLES + 1)), Signal(), Signal(3)
    counters = [Signal(32, name=f"model_{register.name.lower()}") for register in COUNTERS]
    in_reset = resetting != 0
    cleared = Mux(to["ERRORS"], data[:3], 0)
    m.d.sync += [seen.eq(Mux(in_reset, 0, (seen & ~cleared) | errors)), resetting.eq(Mux(in_reset, resetting - 1, 0))]
    for counter, high in zip(counters, count, strict=True):
        m.d.sync += counter.eq(Mux(in_reset, 0, counter + high))
    with m.If(to["CONTROL"]):
        m.d.sync += batch.eq(data[1])
        with m.If(data[0] & ~in_reset):
            m.d.sync += resetting.eq(RESET_CYCLES)
    spec.claim("soft_reset lasts as it should", control.soft_reset == in_reset)
    spec.claim("batch is what was written", control.batch == batch)

    value, read, due = Const(0, 32), Signal(32), Signal()
    words = {
        **{name: Const(word, 32) for name, word in CONSTANTS.items()},
        "CONTROL": Cat(in_reset, batch),
        "STATUS": busy,
        "ERRORS": seen,
        **{register.name: counter for register, counter in zip(COUNTERS, counters, strict=True)},
    }
    for name, word in words.items():
        value = Mux(outs["araddr"][2:] == REGISTERS[name] // 4, word, value)
    with m.If(outs["arvalid"] & bus["arready"]):
        m.d.sync += [read.eq(value), due.eq(1)]
    with m.Elif(outs["rready"]):
        m.d.sync += due.eq(0)
    spec.claim(
        "a read gives the register as it was when its address was taken", ~bus["rvalid"] | (bus["rdata"] == read)
    )
    spec.claim("an answer comes in the cycle after its address", bus["rvalid"] == due)
    spec.cover("a soft reset", in_reset)
    spec.cover("errors are seen", seen == 7)
