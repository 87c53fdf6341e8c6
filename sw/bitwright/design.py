"""A generated design folder: Verilog files, plan.toml, network.safetensors, and manifest.json that ties them.

Written by the generator, read by simulation and boards, which see emitted files alone.
"""

import hashlib
from functools import cached_property
from pathlib import Path

import msgspec

from bitwright.errors import DesignError
from bitwright.framing import InputFormat, OutputFormat
from bitwright.network import Network, load
from bitwright.plan import Plan

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MODELS_FOLDER = "sim"  # of models of vendor cells, apart: DESIGN/*.v must not bring them to a tool that has its own


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of the manifest."""

    name: str
    kind: str
    inputs: int
    outputs: int
    pe: int
    simd: int
    lanes: int
    ideal_cycles: int
    memory: str
    latency_cycles: int
    engine: str = "folded"
    pixels: int = 1  # windows of a frame, in raster order; `inputs` are a window's lanes, `outputs` a pixel's channels


class LayerProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Where a simulator sees a layer's integers: Verilog paths below the top, `pe` fields at a time.

    While `valid` is high, `data` holds `pe` signed fields of `bits` bits, field 0 lowest, for rows fold * pe + field,
    folds in order, pad rows included; of a convolution pixel by pixel. A field is count - threshold for a layer with
    thresholds (so the activation is 1 when it is not negative), and the count itself for a layer with scores.
    """

    layer: str
    valid: str
    data: str
    pe: int
    bits: int


class ScoreProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Where a simulator sees the scores: while `valid` is high, `data` holds one signed score of `bits` bits
    for each of `lanes` classes, in order; classes beyond the last one pad the last word."""

    valid: str
    data: str
    lanes: int
    bits: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """manifest.json."""

    format: int
    bitwright: str
    name: str
    top: str
    verilog: list[str]
    digest: str  # SHA-256 over the Verilog files in order
    network: str  # file name
    network_digest: str
    plan: str  # file name
    target: str
    clock_mhz: float
    interval_cycles: int
    latency_cycles: int
    layers: list[LayerEntry]
    probes: list[LayerProbe]
    score_probe: ScoreProbe | None
    input: InputFormat
    output: OutputFormat
    registers: dict[str, int]  # AXI4-Lite register name to byte offset
    stream_cycles: int = 0  # cycles a frame that pixels take on their way, beside the layers, where there are images
    simulation_models: list[str] = []  # Verilog models of vendor cells, for simulators alone


class Design:
    """A design folder, opened and checked. Raises DesignError for one that is missing or damaged."""

    def __init__(self, folder: Path, manifest: Manifest):
        self.folder = folder
        self.manifest = manifest

    @staticmethod
    def load(folder: object) -> "Design":
        path = Path(str(folder))
        file = path / MANIFEST
        try:
            raw = file.read_bytes()
        except OSError:
            raise DesignError(f"{path}: no {MANIFEST} there; make a design with: bitwright generate") from None
        try:
            version = msgspec.json.decode(raw, type=dict).get("format")
            if version != FORMAT_VERSION:
                raise DesignError(
                    f"{file}: manifest format {version!r}, but this bitwright reads format {FORMAT_VERSION}; "
                    "generate it again"
                )
            manifest = msgspec.json.decode(raw, type=Manifest)
        except msgspec.DecodeError as error:
            raise DesignError(f"{file}: damaged ({error}); generate the design again") from None
        design = Design(path, manifest)
        for name in [*manifest.verilog, *manifest.simulation_models, manifest.network, manifest.plan]:
            plain = name.removeprefix(f"{MODELS_FOLDER}/") if name in manifest.simulation_models else name
            if Path(plain).name != plain or not (path / name).is_file():
                raise DesignError(f"{path}: file {name} is missing; generate the design again")
        return design

    @property
    def verilog(self) -> list[Path]:
        """The Verilog files, in compile order."""
        return [self.folder / name for name in self.manifest.verilog]

    @property
    def simulation_sources(self) -> list[Path]:
        """What a simulator compiles: models of vendor cells, if any, and the design."""
        return [*(self.folder / name for name in self.manifest.simulation_models), *self.verilog]

    @cached_property
    def network(self) -> Network:
        """The network that the design was generated from. Raises NetworkError, or DesignError for another."""
        network = load(self.folder / self.manifest.network)
        if network.digest != self.manifest.network_digest:
            raise DesignError(f"{self.folder}: {self.manifest.network} is not the network of the manifest")
        return network

    @cached_property
    def plan(self) -> Plan:
        return Plan.load(self.folder / self.manifest.plan)

    @property
    def edited(self) -> bool:
        """True if the Verilog is no longer what the generator wrote."""
        return verilog_digest(self.verilog) != self.manifest.digest

    @property
    def ideal_interval_cycles(self) -> int:
        """Cycles a frame of the slowest stage, the input and output streams included."""
        stages = [layer.ideal_cycles for layer in self.manifest.layers]
        return max(*stages, self.manifest.input.beats, self.manifest.stream_cycles, self.manifest.output.beats)

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Design {m.name} in {self.folder}: {m.interval_cycles} cycles a frame, digest {m.digest[:12]}>"


def verilog_digest(files: list[Path]) -> str:
    """SHA-256 (hex) over the content of the files, in order."""
    sha = hashlib.sha256()
    for file in files:
        sha.update(file.read_bytes())
    return sha.hexdigest()
