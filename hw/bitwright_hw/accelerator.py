"""The accelerator: the components of a graph of stages, connected along its edges; and its AXI wrapper."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import RESULT_BITS
from bitwright_core.ports import CLOCK, RESET, accelerator_ports
from bitwright_core.registers import network_constants, structure_constants
from bitwright_hw.banked_memory import LoadBus, share
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.control import AxiLiteSignature, Control, LoadControl
from bitwright_hw.credit_fifo import credit_fifo, memory_words
from bitwright_hw.families.costs import Costs
from bitwright_hw.load_image import initial_load
from bitwright_hw.results import RESULT_LAYOUT
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stage_graph import Solution
from bitwright_hw.stages.stage import Giver, WayOut
from bitwright_hw.weight_loader import WeightLoader


class AcceleratorCore(wiring.Component):
    """Frames in, results out, as streams; the counters' and errors' strobes for Control.

    `i` takes the beats of an AXI4-Stream, `o` gives 64-bit beats (docs: bitwright_core.framing). Between them are the
    components of the graph's stages, connected along its edges: words go one way, tokens, which stand for room, the
    other. A broken frame passes up to the first stage that takes whole frames, and is dropped there.

    Where weights are loaded, `load` brings them, `resting` tells that no frame is inside, and no new one enters while
    `hold` is high: a frame that has begun comes whole. After a reset, or a change of banks, none enters for
    `graph.fill_cycles`.

    Latency: the solution's latency_cycles from a frame's first beat to its result's last one, when idle.
    Throughput: a frame every interval_cycles. Reset: drops every frame in flight.
    """

    def __init__(self, *, solution: Solution):
        self.solution = solution
        self.graph = graph = solution.graph
        self.rows = RowPool()
        self.guard = graph.guard.component(self.rows)
        self.units: dict[str, wiring.Component | None] = {graph.guard.name: self.guard}
        self.units |= {stage.name: stage.component(self.rows) for stage in graph.stages if stage is not graph.guard}
        loads = {"load": In(LoadBus(graph.loads)), "resting": Out(1), "hold": In(1)} if graph.loads else {}
        super().__init__(
            {
                "i": In(stream.Signature(self.guard.axis_layout)),
                "o": Out(stream.Signature(RESULT_LAYOUT)),
                "batch": In(1),
                "accepted": Out(1),
                "finished": Out(1),
                "dropped": Out(1),
                "errors": Out(3),
                "busy": Out(1),
                **loads,
            }
        )

    @property
    def shared(self) -> dict[str, wiring.Component]:
        """Modules that are instantiated by name."""
        return dict(self.rows.modules)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        graph, guard = self.graph, self.guard
        for stage in graph.stages:
            unit = self.units[stage.name]
            if unit is not None:
                m.submodules[stage.name] = unit
        if graph.loads:
            self._enter(m)
        else:
            wiring.connect(m, wiring.flipped(self.i), guard.i)
        m.d.comb += [guard.batch.eq(self.batch), self.errors.eq(Cat(guard.short, guard.long, guard.keep))]
        givers: dict[str, Giver] = {}
        for stage in graph.order:
            given = [givers[edge.giver].branch(edge.branch) for edge in graph.inputs(stage)]
            givers[stage.name] = stage.connect(m, self.units[stage.name], given)

        # Verdicts wait for their frame's last word; tags (does the frame end a packet?) for its result.
        m.submodules.verdicts = verdicts = fifo.SyncFIFO(width=2, depth=graph.frames_before_queues)
        m.submodules.tags = tags = credit_fifo(width=1, depth=graph.frames_in_flight)
        stage, k = graph.droppers[0]
        first = stage.verdict(self.units[stage.name], k)
        drop, last = verdicts.r_data[0], verdicts.r_data[1]
        m.d.comb += [
            verdicts.w_data.eq(guard.verdict.payload.as_value()),
            verdicts.w_en.eq(guard.verdict.valid),
            verdicts.r_en.eq(first.done),
            first.drop.eq(drop),
            self.dropped.eq(first.done & drop),
            self.accepted.eq(first.done & ~drop),
            tags.w_data.eq(last),
            tags.w_en.eq(self.accepted),
        ]
        forgotten = self._forget(m)
        end = graph.end
        load = self._share(m) if graph.loads else None
        way_out = WayOut(o=self.o, tags=tags, finished=self.finished, load=load)
        end.finish(m, self.units[end.name], givers[end.name], way_out)
        in_flight = Signal(range(graph.frames_before_queues + graph.frames_in_flight + 1))
        entered, left = self.accepted, self.finished
        if graph.by_pixel:  # frames are inside long before they are accepted
            entered, left = guard.verdict.valid, self.finished + self.dropped
        m.d.sync += in_flight.eq(in_flight + entered - left)
        m.d.comb += self.busy.eq((in_flight != 0) | guard.busy)
        if graph.loads:
            waiting = [verdicts.r_rdy, *(queue.r_rdy for queue in forgotten)]
            m.d.comb += self.resting.eq(~(self.busy | Cat(waiting).any()))
        return m

    def _enter(self, m: Module) -> None:
        """The input stream, where beats wait before a frame while none may enter."""
        guard = self.guard
        filling = Signal(range(self.graph.fill_cycles + 1), init=self.graph.fill_cycles)
        with m.If(self.load.refill):
            m.d.sync += filling.eq(self.graph.fill_cycles)
        with m.Elif(filling != 0):
            m.d.sync += filling.eq(filling - 1)
        shut = Signal()
        m.d.comb += [
            shut.eq((self.hold | (filling != 0)) & ~guard.busy),
            guard.i.valid.eq(self.i.valid & ~shut),
            guard.i.payload.eq(self.i.payload),
            self.i.ready.eq(guard.i.ready & ~shut),
        ]

    def _share(self, m: Module) -> wiring.PureInterface | None:
        """Connects `load` to the units that are loaded; what is left for the last stage, if anything."""
        graph = self.graph
        loaded = [stage for stage in graph.stages if stage.loads and stage is not graph.end]
        parts = [stage.load_port(self.units[stage.name]) for stage in loaded]
        if not graph.end.loads:
            share(m, self.load, parts)
            return None
        end = LoadBus(graph.end.loads).create(path=("end_load",))
        share(m, self.load, [*parts, end])
        return end

    def _forget(self, m: Module) -> list[fifo.SyncFIFO]:
        """The queues of verdicts beside the first.

        Tells the other stages that take whole frames first on their way, too, which ones to drop."""
        queues = []
        for number, (stage, k) in enumerate(self.graph.droppers[1:], 1):
            depth = self.graph.frames_before_queues
            m.submodules[f"verdicts_{number}"] = verdicts = fifo.SyncFIFO(width=1, depth=depth)
            taker = stage.verdict(self.units[stage.name], k)
            m.d.comb += [
                verdicts.w_data.eq(self.guard.verdict.payload.as_value()[0]),
                verdicts.w_en.eq(self.guard.verdict.valid),
                verdicts.r_en.eq(taker.done),
                taker.drop.eq(verdicts.r_data),
            ]
            queues.append(verdicts)
        return queues


def frame_record_counts(costs: Costs, tags: int | None = None) -> Counts:
    """What the verdicts' and tags' queues take; in front of lookup tables by the room for `tags`."""
    luts = costs.tags
    if tags is not None:
        luts = round(costs.front.records + costs.front.tag * counter_bits(memory_words(tags)))
    return Counts(luts=luts, lutram=costs.tag_lutram, ffs=costs.tag_ffs)


class AxiAccelerator(wiring.Component):
    """The accelerator behind AXI names: AXI4-Stream in and out, AXI4-Lite control, one clock, flat ports.

    Arm IHI 0051 (stream) and IHI 0022 (lite). `aresetn` and the soft reset act synchronously; a soft reset
    resets all but the registers, and may take back a result that waits on the output stream. The core starts a cycle
    after `aresetn` rises. A plan without registers has no control bus: then a packet is a frame, and wrong frames are
    dropped without a word.
    """

    def __init__(self, *, solution: Solution):
        self.solution = solution
        self.core = AcceleratorCore(solution=solution)
        width = solution.graph.input.data_bits
        registers = solution.graph.plan.registers
        declared = accelerator_ports(width, registers=registers)
        ports = {name: (Out if port.driven else In)(port.bits) for name, port in declared.items()}
        super().__init__({CLOCK: In(1), RESET: In(1), **ports})

    @property
    def shared(self) -> dict[str, wiring.Component]:
        return self.core.shared

    def elaborate(self, platform: object) -> Module:
        m = Module()
        graph = self.solution.graph
        m.domains.axi = ClockDomain()
        m.domains.sync = ClockDomain()
        m.submodules.core = core = self.core
        control = self._control() if graph.plan.registers else None
        if control is not None:
            m.submodules.control = control
        core_reset = Signal(init=1)
        m.d.axi += core_reset.eq(0 if control is None else control.soft_reset)
        m.d.comb += [
            ClockSignal("axi").eq(self.aclk),
            ClockSignal("sync").eq(self.aclk),
            ResetSignal("axi").eq(~self.aresetn),
            ResetSignal("sync").eq(core_reset),
            # no beat is taken in a cycle whose clock edge resets the core
            core.i.valid.eq(self.s_axis_tvalid & ~core_reset),
            core.i.payload.data.eq(self.s_axis_tdata),
            core.i.payload.keep.eq(self.s_axis_tkeep),
            core.i.payload.last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(core.i.ready & ~core_reset),
            self.m_axis_tvalid.eq(core.o.valid & ~core_reset),
            self.m_axis_tdata.eq(core.o.payload.data),
            self.m_axis_tkeep.eq((1 << RESULT_BITS // 8) - 1),
            self.m_axis_tlast.eq(core.o.payload.last),
            core.o.ready.eq(self.m_axis_tready & ~core_reset),
        ]
        if control is not None:
            self._connect(m, control, core_reset)
            if graph.loads:
                self._load(m, control)
        return m

    def _control(self) -> Control:
        graph = self.solution.graph
        constants = {
            **network_constants(graph.network.digest),
            "INPUT_BYTES": graph.input.bytes,
            "OUTPUT_BEATS": graph.output.beats,
            "OUTPUTS": graph.output.outputs,
        }
        if not graph.loads:
            return Control(constants=constants)
        load = initial_load(graph)
        constants |= structure_constants(load.structure)
        return LoadControl(constants=constants, empty=graph.plan.begins_empty)

    def _load(self, m: Module, control: Control) -> None:
        """Adds the loader between the registers and the memories."""
        core, graph = self.core, self.solution.graph
        crc = None if graph.plan.begins_empty else initial_load(graph).crc
        m.submodules.loader = loader = WeightLoader(memories=graph.loads, initial_crc=crc)
        wiring.connect(m, control.load, loader.commands)
        share(m, loader.bus, [core.load])
        m.d.comb += [loader.idle.eq(core.resting), core.hold.eq(loader.hold)]

    def _connect(self, m: Module, control: Control, core_reset: Signal) -> None:
        """Connects the registers to the core and to their bus."""
        core = self.core
        m.d.comb += [
            core.batch.eq(control.batch),
            # nor is anything counted: the frames inside are about to be forgotten
            control.busy.eq(core.busy & ~core_reset),
            control.errors.eq(Mux(core_reset, 0, core.errors)),
            control.count.eq(Mux(core_reset, 0, Cat(core.accepted, core.finished, core.dropped, core.busy))),
        ]
        for name, member in AxiLiteSignature().members.items():
            mine, theirs = getattr(self, f"s_axi_control_{name}"), getattr(control.bus, name)
            m.d.comb += theirs.eq(mine) if member.flow == In else mine.eq(theirs)
