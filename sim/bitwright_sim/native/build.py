"""A design to a shared library: SystemVerilog wrapper, C++ constants, Verilator, g++.

The wrapper instantiates the top and brings its probes out under names of ours, so that the C++ harness sees
the same ports for every design. Libraries are kept in the build cache.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bitwright_core.derived import codes_of
from bitwright_core.design import Design, LayerProbe, Manifest
from bitwright_core.errors import DesignError
from bitwright_core.plan import ceil_div
from bitwright_core.ports import CLOCK, CONTROL, RESET, accelerator_ports
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.blocks import Cut, NoBlocksError, cut
from bitwright_sim.native.library import LibraryKind, build_library

_TOP = "bitwright_native"
# characters of Verilog, every instance counted, from which a design is built in parts: these simulate some three times
# more slowly than the whole, which counts little in a few frames
_PARTS_QUICK, _PARTS = 1_000_000, 6_000_000


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A probe as the harness reads it: a frame gives `words` words of `fields` signed fields of `bits` bits."""

    layer: str
    valid: str
    data: str
    words: int
    fields: int
    bits: int
    values: int  # fields of each pixel that count; the rest pads
    pixels: int = 1

    @property
    def width(self) -> int:
        return self.fields * self.bits


def probes(manifest: Manifest) -> tuple[Probe, ...]:
    """Every layer's probe in order, behind it that of its codes if it has several levels, then that of the scores if
    there is one."""
    codes = {probe.layer: probe for probe in manifest.code_probes}
    result = []
    for probe in manifest.probes:
        result.append(_layer_probe(manifest, probe, probe.layer))
        if probe.layer in codes:
            result.append(_layer_probe(manifest, codes[probe.layer], codes_of(probe.layer)))
    if (score := manifest.score_probe) is not None:
        last = manifest.layers[-1]
        # the words of the last layer come one after another in steps of `lanes`, padding rows included
        words = ceil_div(ceil_div(last.outputs, last.pe) * last.pe, score.lanes)
        result.append(
            Probe(
                layer="scores",
                valid=score.valid,
                data=score.data,
                words=words,
                fields=score.lanes,
                bits=score.bits,
                values=last.outputs,
            )
        )
    return tuple(result)


def _layer_probe(manifest: Manifest, probe: LayerProbe, name: str) -> Probe:
    entry = next((layer for layer in manifest.layers if layer.name == probe.layer), None)
    if entry is None:
        raise DesignError(f"design {manifest.name}: a probe names layer {probe.layer!r}, which it lacks")
    return Probe(
        layer=name,
        valid=probe.valid,
        data=probe.data,
        words=entry.pixels * ceil_div(entry.outputs, probe.pe),
        fields=probe.pe,
        bits=probe.bits,
        values=entry.outputs,
        pixels=entry.pixels,
    )


def wrapper(manifest: Manifest) -> str:
    """SystemVerilog around the top: the streams, the probes, and a silent control bus, or one to load weights by."""
    ports, connections = [f"input {CLOCK}", f"input {RESET}"], [f".{CLOCK}({CLOCK})", f".{RESET}({RESET})"]
    silent = []
    for name, port in accelerator_ports(manifest.input.data_bits, registers=bool(manifest.registers)).items():
        if not name.startswith(CONTROL) or manifest.loads is not None:
            wide = "" if port.bits == 1 else f"[{port.bits - 1}:0] "
            ports.append(f"{'output' if port.driven else 'input'} {wide}{name}")
            connections.append(f".{name}({name})")
        elif not port.driven:
            silent.append(f".{name}({port.bits}'d{int(name.endswith('ready'))})")
    connections += silent
    assigns = []
    for index, probe in enumerate(probes(manifest)):
        ports += [f"output p{index}_valid", f"output [{probe.width - 1}:0] p{index}_data"]
        assigns += [
            f"  assign p{index}_valid = dut.{probe.valid};",
            f"  assign p{index}_data = dut.{probe.data};",
        ]
    lines = [
        f"module {_TOP} (",
        ",\n".join(f"  {port}" for port in ports),
        ");",
        f"  {manifest.top} dut (",
        ",\n".join(f"    {connection}" for connection in connections),
        "  );",
        *assigns,
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def config(manifest: Manifest) -> str:
    """native_config.h: the constants of one design, and its probes by number."""
    fmt = manifest.input
    lanes = fmt.data_bits // 8
    last = fmt.bytes - (fmt.beats - 1) * lanes

    def keep(count: int) -> str:
        mask = ((1 << count) - 1).to_bytes(max(8, lanes // 8), "little")
        return "{" + ", ".join(map(str, mask)) + "}"

    all_probes = probes(manifest)
    table = ", ".join(f"{{{p.words}, {p.fields}, {p.bits}}}" for p in all_probes)
    widest = max((ceil_div(probe.width, 32) for probe in all_probes), default=0)
    cases = "".join(
        f"        case {k}:\n            if (!top.p{k}_valid) return false;\n"
        f"            put_words(top.p{k}_data, words);\n            return true;\n"
        for k in range(len(all_probes))
    )
    control = "" if manifest.loads is None else "#define NATIVE_CONTROL\n"
    return (
        f"{control}"
        f"constexpr uint64_t IN_BEATS = {fmt.beats}, IN_BYTES = {lanes}, OUT_BEATS = {manifest.output.beats};\n"
        f"const uint8_t KEEP_ALL[] = {keep(lanes)}, KEEP_LAST[] = {keep(last)};\n"
        f"constexpr uint64_t KEEP_BYTES = {max(8, lanes // 8)};  // of a beat's TKEEP in memory\n"
        f"struct Probe {{ unsigned words, fields, bits; }};\n"
        f"constexpr unsigned PROBES = {len(all_probes)}, PROBE_WORDS_MAX = {widest + 2};\n"
        f"const Probe PROBE[PROBES + 1] = {{{table}{', ' if table else ''}{{0, 0, 0}}}};\n"
        "inline bool probe_read(Vnative& top, unsigned probe, uint32_t* words) {\n"
        f"    switch (probe) {{\n{cases}    }}\n    return false;\n}}\n"
    )


def harness() -> str:
    """The C++ source of the harness."""
    return (files(__package__) / "harness.cpp").read_text()


def in_parts(design: Design, least: int) -> Cut | None:
    """The design in parts, if it has at least so many characters and its text is as the emitter writes it."""
    if len(design.verilog) != 1:
        return None
    nets = [net for probe in probes(design.manifest) for net in (probe.valid, probe.data)]
    try:
        return cut(design.verilog[0].read_text(), design.manifest.top, nets, least=least)
    except NoBlocksError:
        return None


def build_native(
    design: Design,
    *,
    trace: bool = False,
    quick: bool = False,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """The shared library of `design`, from the cache or built now; `trace` adds the writing of waves (VCD).

    A `quick` one is built in a fraction of the time and simulates more slowly: for a few frames.

    Raises ToolError for missing tools or a failed build.
    """
    manifest = design.manifest
    return build_library(
        design.simulation_sources,
        name=manifest.name,
        texts={"wrapper.sv": wrapper(manifest), "native_config.h": config(manifest), "harness.cpp": harness()},
        top=_TOP,
        kind=LibraryKind(
            name="trace" if trace else "quick" if quick else "native",
            prefix="Vnative",
            options=("--trace",) if trace else (),
            optimize=not quick,
        ),
        parts=(lambda: None) if trace else lambda: in_parts(design, _PARTS_QUICK if quick else _PARTS),
        cache=cache,
        progress=progress,
    )
