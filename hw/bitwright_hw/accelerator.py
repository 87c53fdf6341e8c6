"""The accelerator: input, encoder, an engine for each layer, results; and its AXI wrapper."""

from dataclasses import dataclass

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import RESULT_BITS
from bitwright_core.network import Dense, IntegerEncoding, Votes
from bitwright_core.registers import network_constants
from bitwright_hw.control import AxiLiteSignature, Control
from bitwright_hw.credit_fifo import credit_fifo
from bitwright_hw.encoder import Encoder, TableEncoder
from bitwright_hw.engine import MatrixEngine, RowPool
from bitwright_hw.frame_guard import FrameGuard
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.max_pool import MaxPool, PoolParams
from bitwright_hw.padding_mask import PaddingMask
from bitwright_hw.params import AcceleratorParams, Path, QueueParams, score_params, values_in
from bitwright_hw.pixel_source import PixelSource
from bitwright_hw.results import RESULT_LAYOUT, ResultQueue
from bitwright_hw.row_encoder import RowEncoder, RowTableEncoder
from bitwright_hw.scores import ArgMax, Scores
from bitwright_hw.tokens import FrameTokens
from bitwright_hw.window import Window


@dataclass(frozen=True)
class _Giver:
    """Who gives words to the next stage: the words, and the tokens that it takes for them."""

    valid: Value
    payload: Value
    grant: wiring.PureInterface | None  # none for an engine behind another, whose queue has taken the token


class Accelerator(wiring.Component):
    """Frames in, results out, as streams; the counters' and errors' strobes for Control.

    `i` takes the beats of an AXI4-Stream, `o` gives 64-bit beats (docs: bitwright_core.framing). Each layer is a
    FrameQueue and an engine; a queue's room is the token that the stage before it needs to start. A hardwired engine
    behind another has no queue: the token is taken by the queue in front of the first.

    Convolutions at the front have a Window in place of a queue, pools between are streams, and tokens there stand for
    pixels; a PixelSource takes the beats. A broken frame passes them and is dropped by the first queue behind.

    Latency: params.latency_cycles from a frame's first beat to its result's last one, when idle.
    Throughput: a frame every params.interval_cycles. Reset: drops every frame in flight.
    """

    def __init__(self, *, params: AcceleratorParams):
        self.params = params
        self.guard = FrameGuard(format=params.input, token_beats=1 if params.front else None)
        self.rows = RowPool()
        self.engines: tuple[MatrixEngine | HardwiredEngine, ...] = tuple(
            HardwiredEngine(layer=layer, target=params.family, stages=engine.pipeline.stages, known=engine.known)
            if engine.hardwired and isinstance(layer, Dense)
            else MatrixEngine(
                layer=layer,
                fold=engine.fold,
                memory=choice.memory,
                target=params.family,
                rows=self.rows,
                stages=engine.pipeline.stages,
                read_latency=engine.pipeline.read_latency,
            )
            for layer, engine, choice in zip(
                params.network.matrix_layers, params.engines, params.plan.layers, strict=True
            )
        )
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
            }
        )

    @property
    def shared(self) -> dict[str, wiring.Component]:
        """Modules that are instantiated by name."""
        return dict(self.rows.modules)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        params = self.params
        m.submodules.guard = guard = self.guard
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        m.d.comb += [guard.batch.eq(self.batch), self.errors.eq(Cat(guard.short, guard.long, guard.keep))]

        # Windows, queues and engines; the words of each stage feed the one behind it.
        giver = self._input(m, guard)
        queues: list[FrameQueue] = []
        for k, (choice, engine) in enumerate(zip(params.engines, self.engines, strict=True)):
            m.submodules[f"engine_{k}"] = engine
            giver = self._way(m, giver, choice.path, f"path_{k}")
            grant = giver.grant
            if choice.window is not None:
                m.submodules[f"queue_{k}"] = window = Window(params=choice.window)
                self._give(m, giver, window.i, window.space)
                m.d.comb += [engine.i.valid.eq(window.o.valid), engine.i.payload.eq(window.o.payload)]
                grant = window.grant
            elif choice.queue is not None:
                if params.front and not queues:
                    giver = self._frames(m, giver)
                m.submodules[f"queue_{k}"] = queue = self._queue(choice.queue)
                self._give(m, giver, queue.i, queue.space)
                m.d.comb += [
                    engine.i.valid.eq(queue.o.valid),
                    engine.i.payload.eq(queue.o.payload),
                    queue.o.ready.eq(1),
                ]
                queues.append(queue)
                grant = queue.grant
            else:
                m.d.comb += [engine.i.valid.eq(giver.valid), engine.i.payload.eq(giver.payload)]
            giver = _Giver(engine.o.valid, engine.activations if engine.biased else engine.o.payload.as_value(), grant)
        if params.result_queue is not None:
            if params.front and not queues:
                giver = self._frames(m, self._way(m, giver, params.result_path, "path_last"))
            m.submodules.results = results = self._queue(params.result_queue)
            self._give(m, giver, results.i, results.space)
            queues.append(results)

        # Verdicts wait for their frame's last word; tags (does the frame end a packet?) for its result.
        m.submodules.verdicts = verdicts = fifo.SyncFIFO(width=2, depth=params.frames_before_queues)
        m.submodules.tags = tags = credit_fifo(width=1, depth=params.frames_in_flight)
        first = queues[0]
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

        if params.result_queue is None:
            assert giver.grant is not None
            self._classifier(m, giver.grant, tags)
        else:
            self._bits(m, queues[-1], tags)
        in_flight = Signal(range(params.frames_before_queues + params.frames_in_flight + 1))
        entered, left = self.accepted, self.finished
        if params.front:  # which holds frames long before they are accepted
            entered, left = guard.verdict.valid, self.finished + self.dropped
        m.d.sync += in_flight.eq(in_flight + entered - left)
        m.d.comb += self.busy.eq((in_flight != 0) | guard.busy)
        return m

    @staticmethod
    def _give(m: Module, giver: _Giver, sink: wiring.PureInterface, space: wiring.PureInterface) -> None:
        """Words and tokens between a stage and the one behind it."""
        m.d.comb += [sink.valid.eq(giver.valid), sink.payload.eq(giver.payload)]
        if giver.grant is not None:
            wiring.connect(m, giver.grant, space)

    def _way(self, m: Module, giver: _Giver, path: Path, name: str) -> _Giver:
        """Behind the units of `path`."""
        for number, params in enumerate(path):
            unit = MaxPool(params=params) if isinstance(params, PoolParams) else Window(params=params)
            m.submodules[f"{name}_{number}"] = unit
            self._give(m, giver, unit.i, unit.space)
            giver = _Giver(unit.o.valid, unit.o.payload, unit.grant)
        return giver

    def _frames(self, m: Module, giver: _Giver) -> _Giver:
        """Pixels to words of frames: without gaps between pixels, and with a token for each frame."""
        front = self.params.front
        assert front is not None
        m.submodules.frames = frames = FrameTokens(pixels=front.token_pixels)
        if giver.grant is not None:
            wiring.connect(m, giver.grant, frames.space)
        valid, payload = giver.valid, giver.payload
        if front.repacked is not None:
            narrow, wide = front.repacked
            m.submodules.repack = repack = Gearbox(in_width=narrow, out_width=wide, bits=wide, reader_waits=False)
            m.d.comb += [repack.i.valid.eq(valid), repack.i.payload.eq(payload), repack.o.ready.eq(1)]
            valid, payload = repack.o.valid, repack.o.payload
        return _Giver(valid, payload, frames.grant)

    @staticmethod
    def _queue(queue: QueueParams) -> FrameQueue:
        return FrameQueue(
            in_width=queue.in_width,
            out_width=queue.out_width,
            bits=queue.bits,
            banks=queue.banks,
            repeats=queue.repeats,
        )

    def _input(self, m: Module, guard: FrameGuard) -> _Giver:
        """Beats to lanes, through the encoder unless the host has encoded them.

        Either way takes a cycle, in which the frame's verdict reaches the queue's side.
        """
        params, encoding = self.params, self.params.network.encoding
        beat_bits, value_bits = values_in(params.input) * params.input.value_bits, params.input.value_bits
        encoder: Encoder | TableEncoder | RowEncoder | RowTableEncoder | None = None
        rows, values = encoding.rows.tolist(), params.input.values
        if isinstance(encoding, IntegerEncoding):
            bits = encoding.number.bits
            if params.front is None and len(rows) == 1:
                encoder = TableEncoder(beat_bits=beat_bits, value_bits=value_bits, table=rows[0], out_bits=bits)
            elif params.front is None:
                encoder = RowTableEncoder(
                    beat_bits=beat_bits, value_bits=value_bits, rows=rows, values=values, out_bits=bits
                )
        elif not params.input.encoded and len(rows) == 1:
            encoder = Encoder(beat_bits=beat_bits, value_bits=value_bits, thresholds=rows[0])
        elif not params.input.encoded:
            encoder = RowEncoder(beat_bits=beat_bits, value_bits=value_bits, rows=rows, values=values)
        if encoder is not None:
            m.submodules.encoder = encoder
            m.d.comb += [encoder.i.valid.eq(guard.o.valid), encoder.i.payload.eq(guard.o.payload)]
            valid, payload = encoder.o.valid, encoder.o.payload
        else:
            valid, payload = Signal(name="beat_valid"), Signal(len(guard.o.payload), name="beat")
            m.d.sync += [valid.eq(guard.o.valid), payload.eq(guard.o.payload)]
        if params.front is None:
            # encoders with several rows know where a frame ends; one threshold never makes 1 of a 0
            if isinstance(encoding, IntegerEncoding) and len(rows) == 1 and rows[0][0]:
                valid, payload = self._masked(m, valid, payload)
            return _Giver(valid, payload, guard.space)
        m.submodules.source = source = PixelSource(params=params.front.source)
        self._give(m, _Giver(valid, payload, guard.space), source.i, source.space)
        return _Giver(source.o.valid, source.o.payload, source.grant)

    def _masked(self, m: Module, valid: Value, payload: Value) -> tuple[Value, Value]:
        """Encoded beats whose padding is 0 again."""
        lanes = values_in(self.params.input)
        if self.params.input.values % lanes == 0:
            return valid, payload
        bits = len(payload) // lanes * self.params.input.values
        m.submodules.padding = padding = PaddingMask(width=len(payload), bits=bits)
        m.d.comb += [padding.i.valid.eq(valid), padding.i.payload.eq(payload)]
        return padding.o.valid, padding.o.payload

    def _classifier(self, m: Module, grant: wiring.PureInterface, tags: fifo.SyncFIFOBuffered) -> None:
        params, engine = self.params, self.engines[-1]
        scores = score_params(params.network, engine.fold)
        m.submodules.scores = unit = Scores(params=scores)
        m.submodules.argmax = argmax = ArgMax(params=scores)
        m.submodules.results = results = ResultQueue(
            params=scores, slots=params.result_slots, scores=params.plan.scores
        )
        votes = isinstance(engine.layer.output, Votes)
        m.d.comb += [
            unit.i.valid.eq(engine.o.valid),
            unit.i.payload.as_value().eq(engine.activations if votes else engine.o.payload.as_value()),
        ]
        wiring.connect(m, argmax.o, results.klass)
        for sink in (argmax.i, results.score):
            m.d.comb += [sink.valid.eq(unit.o.valid), sink.payload.eq(unit.o.payload.as_value())]
        wiring.connect(m, grant, results.space)
        m.d.comb += [
            results.tag.valid.eq(tags.r_rdy),
            results.tag.payload.eq(tags.r_data),
            tags.r_en.eq(results.tag.ready),
            self.finished.eq(results.tag.ready),
        ]
        wiring.connect(m, results.o, wiring.flipped(self.o))

    def _bits(self, m: Module, results: FrameQueue, tags: fifo.SyncFIFOBuffered) -> None:
        params = self.params
        beat = Signal(range(max(2, params.output.beats)))
        last = Signal()
        m.d.comb += [
            results.grant.valid.eq(1),
            last.eq(beat == params.output.beats - 1),
            self.o.valid.eq(results.o.valid & tags.r_rdy),
            self.o.payload.data.eq(results.o.payload),
            self.o.payload.last.eq(last & tags.r_data),
            results.o.ready.eq(self.o.ready & tags.r_rdy),
            self.finished.eq(self.o.valid & self.o.ready & last),
            tags.r_en.eq(self.finished),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last):
                m.d.sync += beat.eq(0)


class AxiAccelerator(wiring.Component):
    """The accelerator behind AXI names: AXI4-Stream in and out, AXI4-Lite control, one clock, flat ports.

    Arm IHI 0051 (stream) and IHI 0022 (lite). `aresetn` and the soft reset act synchronously; a soft reset
    resets all but the registers, and may take back a result that waits on the output stream. The core starts a cycle
    after `aresetn` rises.
    """

    def __init__(self, *, params: AcceleratorParams):
        self.params = params
        self.core = Accelerator(params=params)
        width = params.input.data_bits
        control = {f"s_axi_control_{name}": member for name, member in AxiLiteSignature().members.items()}
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(width),
                "s_axis_tkeep": In(width // 8),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(RESULT_BITS),
                "m_axis_tkeep": Out(RESULT_BITS // 8),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                **control,
            }
        )

    @property
    def shared(self) -> dict[str, wiring.Component]:
        return self.core.shared

    def elaborate(self, platform: object) -> Module:
        m = Module()
        params = self.params
        m.domains.axi = ClockDomain()
        m.domains.sync = ClockDomain()
        m.submodules.core = core = self.core
        m.submodules.control = control = Control(
            constants={
                **network_constants(params.network.digest),
                "INPUT_BYTES": params.input.bytes,
                "OUTPUT_BEATS": params.output.beats,
                "OUTPUTS": params.output.outputs,
            }
        )
        core_reset = Signal(init=1)
        m.d.axi += core_reset.eq(control.soft_reset)
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
            core.batch.eq(control.batch),
            # nor is anything counted: the frames inside are about to be forgotten
            control.busy.eq(core.busy & ~core_reset),
            control.errors.eq(Mux(core_reset, 0, core.errors)),
            control.count.eq(Mux(core_reset, 0, Cat(core.accepted, core.finished, core.dropped, core.busy))),
        ]
        for name, member in AxiLiteSignature().members.items():
            mine, theirs = getattr(self, f"s_axi_control_{name}"), getattr(control.bus, name)
            m.d.comb += theirs.eq(mine) if member.flow == In else mine.eq(theirs)
        return m
