"""The Plan: what a user may set of the hardware of a network.

A plan names a fold (PE rows by SIMD lanes) for each layer and a few options; it is kept as plan.toml,
made to be edited.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bitwright_core.atomic import write_text
from bitwright_core.buildable import check_buildable
from bitwright_core.comparators import first_tables
from bitwright_core.engine_rules import load_refusal, memory_refusal, refusal, serial_refusal
from bitwright_core.errors import PlanError
from bitwright_core.families import PORTABLE, FamilyName
from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import Network
from bitwright_core.untrusted import MAX_PIXELS, MAX_TEXT_BYTES, NAME_PATTERN, decode_toml

Memory = Literal["auto", "block", "distributed", "ultra"]
Engine = Literal["folded", "hardwired"]
Planes = Literal["parallel", "serial"]
Comparators = Literal["auto", "beats", "tables"]
DATA_BITS = (8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """The user's choice for one layer: `pe` rows at a time, `simd` lanes of each, and the weight memory.

    A hardwired layer has its weights in the logic, no memory, and all rows and lanes at a time; it holds at most
    `engine_rules.HARDWIRED_WEIGHTS`. A `loadable` one takes other weights, thresholds and scores while it runs. With
    `memory` "ultra" its weights lie in UltraRAM, which has none at power-up, so that is for loadable ones.

    `planes` are the bit-planes of values and weights of a few bits: with "parallel" a row has a popcount for each
    product of two planes, with "serial" one popcount that counts them one after the other, in as many times the cycles.
    """

    name: str
    pe: int
    simd: int
    memory: Memory = "auto"
    engine: Engine = "folded"
    planes: Planes = "parallel"
    loadable: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME_PATTERN, self.name):
            raise PlanError(f"layer {self.name!r} is no layer's name (lower-case letters, digits, _, at most 48)")
        if not (1 <= self.pe <= MAX_PIXELS and 1 <= self.simd <= MAX_PIXELS):
            raise PlanError(f"layer {self.name}: pe and simd must be at least 1, not {self.pe} and {self.simd}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The user's choices for a whole accelerator."""

    layers: tuple[LayerPlan, ...]
    clock_mhz: float = 100.0
    target: FamilyName = PORTABLE
    encoding: Literal["hardware", "host"] = "hardware"
    scores: bool = False  # send every class score before the class
    data_bits: int = 64  # width of the input stream; the output stream is 64 bits wide
    comparators: Comparators = "auto"  # where first tables have their input compared with thresholds
    registers: bool = True  # AXI4-Lite registers; without them there is neither batch mode nor soft reset
    board: str = ""  # the board that it was sized for; generate refuses weights that do not fit there

    def _repr_html_(self) -> str:
        """How a notebook shows it: the folds."""
        from bitwright_core.html import html_table

        facts: list[tuple[str, object]] = [("target", self.target), ("clock", f"{self.clock_mhz:g} MHz")]
        facts += [("board", self.board)] if self.board else []
        rows = [(layer.name, layer.pe, layer.simd, layer.memory, layer.engine, layer.planes) for layer in self.layers]
        return html_table("Plan", facts, ("layer", "PE", "SIMD", "weights in", "engine", "planes"), rows)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.data_bits not in DATA_BITS:
            raise PlanError(f"data_bits must be one of {', '.join(map(str, DATA_BITS))}, not {self.data_bits}")
        if not 1 <= self.clock_mhz <= 2000:
            raise PlanError(f"clock_mhz must lie in 1..2000, not {self.clock_mhz}")
        object.__setattr__(self, "clock_mhz", float(self.clock_mhz))  # 12 and 12.0 are one plan, to the byte
        if self.board and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,47}", self.board):
            raise PlanError(f"board {self.board!r} is no board's name; see bitwright boards")

    def check(self, network: Network) -> None:
        """Raises PlanError unless the plan fits `network`: the same layers in order, possible folds."""
        check_buildable(network)
        layers = network.matrix_layers
        if all(layer.weight_bits == 0 for layer in network.layers):
            raise PlanError(f"network {network.name} has pools alone, and hardware needs a layer with weights")
        mine = [layer.name for layer in self.layers]
        theirs = [layer.name for layer in layers]
        if mine != theirs:
            raise PlanError(
                f"the plan is for layers {', '.join(mine)} but network {network.name} has {', '.join(theirs)}"
            )
        for fold, layer in zip(self.layers, layers, strict=True):
            if fold.pe > layer.outputs:
                raise PlanError(f"layer {layer.name}: pe {fold.pe} is more than its {layer.outputs} outputs")
            if fold.simd > layer.inputs:
                raise PlanError(f"layer {layer.name}: simd {fold.simd} is more than its {layer.inputs} inputs")
            why = refusal(fold.engine, layer, fold.pe, fold.simd)
            if why is None and fold.planes == "serial":
                why = serial_refusal(fold.engine, layer)
            if why is None and fold.loadable:
                why = load_refusal(fold.engine)
            if why is None:
                why = memory_refusal(fold.memory, loadable=fold.loadable)
            if why is not None:
                raise PlanError(f"layer {layer.name}: {why}")
        if self.loadable and not self.registers:
            raise PlanError("weights are loaded through the registers: a plan with loadable layers needs them")
        if self.encoding == "host" and network.encoding.tables is not None:
            raise PlanError(
                f"network {network.name} takes integers, which the hardware makes: encoding must be hardware"
            )
        if self.comparators == "tables" and (self.encoding == "host" or first_tables(network) is None):
            raise PlanError(
                f"network {network.name} has no layer of tables that alone takes an input of two bits or more, encoded "
                "in hardware, so comparators cannot be tables"
            )
        if self.scores and not network.gives_scores:
            raise PlanError(f"network {network.name} gives {network.gives}, so a plan for it cannot ask for scores")
        if network.gives == "values" and not self.scores:
            raise PlanError(f"network {network.name} gives values, which its scores are: the plan needs scores = true")

    @property
    def loadable(self) -> bool:
        """Whether some layer takes other weights while it runs."""
        return any(layer.loadable for layer in self.layers)

    @property
    def begins_empty(self) -> bool:
        """Whether the accelerator begins without weights, and computes nothing until they are loaded."""
        return any(layer.memory == "ultra" for layer in self.layers)

    def save(self, path: object) -> None:
        """Writes plan.toml, atomically."""
        write_text(Path(str(path)), self.text)

    @property
    def text(self) -> str:
        """What plan.toml says."""
        import tomli_w

        text = "# How the network is folded into hardware. Edit, then: bitwright generate NETWORK --plan THIS\n"
        values = msgspec.to_builtins(self)
        if self.registers:
            values.pop("registers", None)  # as plans were before there was a choice
        for layer in values["layers"]:
            if layer.get("planes") == "parallel":
                del layer["planes"]
            if not layer.get("loadable"):
                layer.pop("loadable", None)
        if self.comparators == "auto":
            values.pop("comparators", None)
        return text + tomli_w.dumps(values)

    @staticmethod
    def load(path: object) -> "Plan":
        """Reads plan.toml. Raises PlanError, naming the key, for a file that is missing or wrong."""
        file = Path(str(path))
        try:
            if file.is_file() and file.stat().st_size > MAX_TEXT_BYTES:
                raise PlanError(f"{file}: larger than {MAX_TEXT_BYTES:,} bytes, which no plan is")
            raw = decode_toml(file.read_bytes())
            mistake = first_mistake(raw, Plan)
            if mistake is not None:
                raise PlanError(f"{file}: {mistake}")
            return msgspec.convert(raw, Plan)
        except FileNotFoundError:
            raise PlanError(f"{file}: no such plan{did_you_mean_path(file)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, PlanError) else error
            raise PlanError(f"{file}: {cause}") from None
