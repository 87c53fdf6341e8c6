"""A top that uses an accelerator in plain Verilog: it sends it frames from a memory and compares every result.

It has what a design of one's own needs around the accelerator: clock, reset, both streams with TKEEP and TLAST, and the
control bus tied off. It synthesizes, and in a simulation `done` rises after the last result, `passed` with it if all
were right.
"""

import numpy as np
from numpy.typing import NDArray

from bitwright_boards.deployment import Vectors
from bitwright_core.design import Design
from bitwright_core.framing import RESULT_BITS, InputFormat, OutputFormat, pack_frames
from bitwright_core.ports import CONTROL, lite_ports


def example_name(design: Design) -> str:
    """The name of the example's top module."""
    return f"{design.manifest.top}_example"


def example(design: Design, vectors: Vectors) -> str:
    """The Verilog of the top, with the frames of `vectors` (two or more) and the golden model's results."""
    manifest = design.manifest
    form = manifest.input
    beats = pack_frames(design.network, design.plan, vectors.frames).reshape(-1, form.data_bits // 8)
    results = result_beats(manifest.output, vectors)
    control = [f".{CONTROL}_{port.name}({'' if port.driven else _idle(port.name, port.bits)})" for port in lite_ports()]
    connections = ",\n        ".join(
        [
            ".aclk(aclk)",
            ".aresetn(aresetn)",
            ".s_axis_tdata(frames[sent])",
            ".s_axis_tkeep(last ? LAST_KEEP : ALL_KEEP)",
            ".s_axis_tvalid(offered)",
            ".s_axis_tready(taken)",
            ".s_axis_tlast(last)",
            ".m_axis_tdata(result)",
            ".m_axis_tkeep()",
            ".m_axis_tvalid(came)",
            ".m_axis_tready(1'b1)",
            ".m_axis_tlast()",
            *control,
        ]
    )
    keep_bits = form.data_bits // 8
    return f"""\
// Sends {len(vectors.frames)} frames to the accelerator of network {manifest.name}, and compares all results.
// Written by bitwright build --ip, to be read and changed.
module {example_name(design)} (
    input  wire aclk,
    input  wire aresetn,  // synchronous, active low
    output reg  done,     // the last result has come
    output wire passed    // and all were right
);
    localparam FRAME_BEATS = {form.beats};
    localparam BEATS = {len(beats)};
    localparam RESULTS = {len(results)};
    // TKEEP is high for the bytes of a frame and low for the padding of its last beat
    localparam [{keep_bits - 1}:0] ALL_KEEP = {{{keep_bits}{{1'b1}}}};
    localparam [{keep_bits - 1}:0] LAST_KEEP = {keep_bits}'h{_last_keep(form):x};

    reg [{form.data_bits - 1}:0] frames [0:BEATS - 1];
    reg [{RESULT_BITS - 1}:0] expected [0:RESULTS - 1];
    initial begin
{_contents("frames", beats)}
{_contents("expected", results)}
    end

    reg [31:0] sent, of_frame, received;  // beats
    reg wrong;
    wire offered = sent != BEATS;
    wire last = of_frame == FRAME_BEATS - 1;  // TLAST: a packet is a frame
    wire taken, came;
    wire [{RESULT_BITS - 1}:0] result;
    assign passed = done & ~wrong;

    always @(posedge aclk) begin
        if (!aresetn) begin
            sent <= 0;
            of_frame <= 0;
            received <= 0;
            wrong <= 0;
            done <= 0;
        end else begin
            if (offered && taken) begin
                sent <= sent + 1;
                of_frame <= last ? 0 : of_frame + 1;
            end
            if (came && !done) begin
                received <= received + 1;
                if (result == expected[received]) begin end else wrong <= 1;  // unknown bits are wrong, too
                if (received == RESULTS - 1) done <= 1;
            end
        end
    end

    // the control bus may stay idle: an accelerator takes frames from reset on, one a packet
    {manifest.top} accelerator (
        {connections}
    );
endmodule
"""


def result_beats(form: OutputFormat, vectors: Vectors) -> NDArray[np.uint8]:
    """The beats (n, 8) that the results of all frames make, as bytes."""
    rows = form.pack(vectors.classes, vectors.scores)
    return np.ascontiguousarray(rows).view(np.uint8).reshape(-1, RESULT_BITS // 8)


def _contents(name: str, beats: NDArray[np.uint8]) -> str:
    bits = 8 * beats.shape[1]
    words = (int.from_bytes(beat.tobytes(), "little") for beat in beats)
    return "\n".join(f"        {name}[{k}] = {bits}'h{word:0{bits // 4}x};" for k, word in enumerate(words))


def _last_keep(form: InputFormat) -> int:
    """TKEEP of a frame's last beat."""
    return (1 << (form.bytes - (form.beats - 1) * form.data_bits // 8)) - 1


def _idle(name: str, bits: int) -> str:
    return f"{bits}'d1" if name in ("bready", "rready") else f"{bits}'d0"
