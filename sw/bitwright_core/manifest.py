"""manifest.json: what a design folder holds and how it behaves; checked as it is read, sealed as it is written.

Every string and number is bounded by its type; `Design` adds what needs the files, `bitwright_core.derived` what needs
the network and the plan.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bitwright_core.errors import DesignError
from bitwright_core.families import FamilyName
from bitwright_core.framing import InputFormat, OutputFormat
from bitwright_core.loading import LoadEntry
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import Node
from bitwright_core.plan import Engine, Fold, LayerPlan, Plan, Planes
from bitwright_core.registers import LOADABLE, REGISTERS
from bitwright_core.untrusted import (
    MAX_TEXT_BYTES,
    Count,
    Cycles,
    Digest,
    Identifier,
    Line,
    Megahertz,
    Name,
    PlainFile,
    SignalPath,
    VerilogFile,
    decode_json,
    file_inside,
)

FORMAT_VERSION = 2  # 2: digests of every file, and of the manifest itself
MANIFEST = "manifest.json"
MODELS_FOLDER = "sim"  # of models of vendor cells, apart: DESIGN/*.v must not bring them to a tool that has its own
_LAYERS = 1024
ModelFile = Annotated[str, Meta(pattern=rf"\A{MODELS_FOLDER}/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,123}}\.v\Z")]
AnyFile = Annotated[str, Meta(pattern=rf"\A({MODELS_FOLDER}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{{0,123}}\Z")]


WeightsIn = Literal["auto", "block", "distributed", "ultra", "logic"]


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer of the manifest."""

    name: Name
    kind: Name
    inputs: Count
    outputs: Count
    pe: Count
    simd: Count
    lanes: Annotated[int, Meta(ge=1, le=1 << 40)]
    ideal_cycles: Cycles
    memory: WeightsIn
    latency_cycles: Cycles
    engine: Engine = "folded"
    pixels: Count = (
        1  # windows of a frame, in raster order; `inputs` are a window's lanes, `outputs` a pixel's channels
    )
    planes: Planes | msgspec.UnsetType = msgspec.UNSET  # "serial", or not in the file


def planned_entry(node: Node, fold: Fold, choice: LayerPlan, *, memory: WeightsIn, latency_cycles: int) -> LayerEntry:
    """The entry of a layer with weights, folded so."""
    return LayerEntry(
        name=node.name,
        kind=node.operator.kind,
        inputs=fold.inputs,
        outputs=fold.outputs,
        pe=fold.pe,
        simd=fold.simd,
        lanes=fold.lanes,
        ideal_cycles=fold.frame_cycles,
        memory=memory,
        latency_cycles=latency_cycles,
        engine=choice.engine,
        pixels=fold.pixels,
        planes=msgspec.UNSET if choice.planes == "parallel" else choice.planes,
    )


def whole_entry(node: Node, *, latency_cycles: int) -> LayerEntry:
    """The entry of a layer that is logic, and takes a frame a cycle."""
    return LayerEntry(
        name=node.name,
        kind=node.operator.kind,
        inputs=node.inputs,
        outputs=node.outputs,
        pe=node.outputs,
        simd=node.inputs,
        lanes=node.inputs,
        ideal_cycles=1,
        memory="logic",
        latency_cycles=latency_cycles,
        engine="hardwired",
    )


def register_map(plan: Plan) -> dict[str, int]:
    """Name to byte offset of each register of a design of `plan`."""
    if not plan.registers:
        return {}
    return dict(LOADABLE if plan.loadable else REGISTERS)


class LayerProbe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a simulator sees a layer's integers: Verilog paths below the top, `pe` fields at a time.

    While `valid` is high, `data` holds `pe` signed fields of `bits` bits, field 0 lowest, for rows fold * pe + field,
    folds in order, pad rows included; of a convolution pixel by pixel. A field is count - threshold for a layer with
    thresholds (so the activation is 1 when it is not negative), and the count itself for a layer with scores.
    """

    layer: Name
    valid: SignalPath
    data: SignalPath
    pe: Count
    bits: Annotated[int, Meta(ge=1, le=64)]


class ScoreProbe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a simulator sees the scores: while `valid` is high, `data` holds one signed score of `bits` bits
    for each of `lanes` classes, in order; classes beyond the last one pad the last word."""

    valid: SignalPath
    data: SignalPath
    lanes: Count
    bits: Annotated[int, Meta(ge=1, le=64)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """manifest.json."""

    format: int
    bitwright: Line
    name: Name
    top: Identifier
    verilog: Annotated[list[VerilogFile], Meta(min_length=1, max_length=_LAYERS)]
    digest: Digest  # SHA-256 over the Verilog files in order
    network: PlainFile  # file name
    network_digest: Digest
    plan: PlainFile  # file name
    target: FamilyName
    clock_mhz: Megahertz
    interval_cycles: Annotated[int, Meta(ge=1, le=1 << 48)]
    latency_cycles: Annotated[int, Meta(ge=1, le=1 << 48)]
    layers: Annotated[list[LayerEntry], Meta(max_length=_LAYERS)]
    probes: Annotated[list[LayerProbe], Meta(max_length=_LAYERS)]
    score_probe: ScoreProbe | None
    input: InputFormat
    output: OutputFormat
    registers: dict[str, int]  # AXI4-Lite register name to byte offset; none where the design has no registers
    codes: Annotated[list[LayerProbe], Meta(max_length=_LAYERS)] | msgspec.UnsetType = msgspec.UNSET  # see code_probes
    load: LoadEntry | msgspec.UnsetType = msgspec.UNSET  # of a design with loadable layers
    stream_cycles: Cycles = 0  # cycles a frame that pixels take on their way, beside the layers, where there are images
    simulation_models: Annotated[list[ModelFile], Meta(max_length=16)] = []  # of vendor cells, for simulators alone
    files: dict[AnyFile, Digest] = {}  # SHA-256 of every file of the design beside this one
    seal: Digest | Literal[""] = ""  # SHA-256 over all of the above

    @property
    def code_probes(self) -> list[LayerProbe]:
        """Where a simulator sees the activations of each layer that has several levels: fields of its number type's
        bits, the stored value as a signed number. Not in the file of a design without such layers."""
        return [] if isinstance(self.codes, msgspec.UnsetType) else self.codes

    @property
    def loads(self) -> LoadEntry | None:
        """What loads it takes; None for a design whose weights are fixed."""
        return None if isinstance(self.load, msgspec.UnsetType) else self.load

    @property
    def names(self) -> list[str]:
        """Every file of the design beside the manifest."""
        first = () if self.first_load is None else (self.first_load,)
        return [*self.verilog, *self.simulation_models, self.network, self.plan, *first]

    @property
    def first_load(self) -> str | None:
        """The file of the load that the accelerator needs before it computes; None where it begins with its weights."""
        return None if self.loads is None else self.loads.first

    def sealed(self) -> "Manifest":
        """The manifest with the seal that belongs to its other fields."""
        blank = msgspec.structs.replace(self, seal="")
        return msgspec.structs.replace(self, seal=hashlib.sha256(msgspec.json.encode(blank)).hexdigest())

    def to_bytes(self) -> bytes:
        """The file's content, sealed."""
        return msgspec.json.format(msgspec.json.encode(self.sealed()), indent=2) + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises DesignError for one that is missing, damaged, altered or of another format."""
    if folder.is_file():
        raise DesignError(
            f"{folder}: a file, not a design folder; "
            + (
                f"name the folder, {folder.parent}"
                if (folder.parent / MANIFEST).is_file()
                else "name the folder that bitwright generate wrote"
            )
        )
    if not (folder / MANIFEST).exists():
        hint = did_you_mean_path(folder, holds=MANIFEST)
        raise DesignError(f"{folder}: no {MANIFEST} there{hint}; make a design with: bitwright generate")
    file = file_inside(folder, MANIFEST, DesignError, limit=MAX_TEXT_BYTES)
    raw = file.read_bytes()
    try:
        version = decode_json(raw, dict).get("format")
        if version != FORMAT_VERSION:
            shown = version if isinstance(version, int) and abs(version) < 1 << 31 else "of another kind"
            raise DesignError(
                f"{file}: manifest format {shown}, but this bitwright reads format {FORMAT_VERSION}, which has digests "
                "of all files; generate the design again from its network.safetensors and plan.toml, into a new folder"
            )
        manifest = decode_json(raw, Manifest)
    except msgspec.DecodeError as error:
        raise DesignError(f"{file}: damaged ({error}); generate the design again") from None
    names = manifest.names
    if len({*names, MANIFEST}) != len(names) + 1 or sorted(manifest.files) != sorted(names):
        raise DesignError(f"{file}: damaged (its lists of files do not agree); generate the design again")
    if manifest.seal != manifest.sealed().seal:
        raise DesignError(f"{file}: was altered after it was generated; generate the design again")
    return manifest
