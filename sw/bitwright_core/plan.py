"""The Plan: how a network becomes hardware. What a user may set, and what follows from it.

A plan names a fold (PE rows by SIMD lanes) for each layer and a few options; it is kept as plan.toml,
made to be edited. Everything derived (fold counts, lanes, cycles) is computed here and can be set by nobody.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from bitwright_core.atomic import write_text
from bitwright_core.buildable import check_buildable
from bitwright_core.comparators import first_tables
from bitwright_core.engine_rules import load_refusal, refusal, serial_refusal
from bitwright_core.errors import PlanError
from bitwright_core.families import PORTABLE, FamilyName
from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.untrusted import MAX_PIXELS, MAX_TEXT_BYTES, NAME_PATTERN, decode_toml

Memory = Literal["auto", "block", "distributed"]
Engine = Literal["folded", "hardwired"]
Planes = Literal["parallel", "serial"]
Comparators = Literal["auto", "beats", "tables"]
DATA_BITS = (8, 16, 32, 64, 128, 256, 512, 1024)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """The user's choice for one layer: `pe` rows at a time, `simd` lanes of each, and the weight memory.

    A hardwired layer has its weights in the logic, no memory, and all rows and lanes at a time; it holds at most
    `engine_rules.HARDWIRED_WEIGHTS`. A `loadable` one takes other weights, thresholds and scores while it runs.

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
                why = load_refusal(fold.engine, layer)
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


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What follows from a layer's size and its fold. Pad rows and lanes fill the last fold.

    A convolution is a matrix of its weights times a window for each of its `pixels`. With `groups` it is that many
    small matrices, each on lanes of its own, whose rows follow each other; `inputs` are the lanes of one of them.
    `planes` are the bit-planes, of a value and of a weight, that follow each other: all of them, or one each.
    """

    inputs: int
    outputs: int
    pe: int
    simd: int
    pixels: int = 1
    groups: int = 1
    planes: tuple[int, int] = (1, 1)

    @property
    def loadable(self) -> bool:
        """Whether other weights are loaded while it runs, so that widths hold for any."""
        return False

    @property
    def neuron_folds(self) -> int:
        """Passes over the input, ceil(outputs / PE)."""
        return ceil_div(self.outputs, self.pe)

    @property
    def synapse_folds(self) -> int:
        """Words of a window, ceil(inputs / SIMD)."""
        return ceil_div(self.inputs, self.simd)

    @property
    def plane_products(self) -> int:
        """Products of two planes that a row counts one after the other; each takes all words of the window."""
        return self.planes[0] * self.planes[1]

    @property
    def pass_words(self) -> int:
        """Words of a pass: those of the window, for each of `plane_products`."""
        return self.plane_products * self.synapse_folds

    @property
    def weight_words(self) -> int:
        """Words of the weight memory."""
        return self.neuron_folds * self.synapse_folds * self.planes[1]

    @property
    def cycles(self) -> int:
        """Cycles a window: the engine takes one word each cycle and none else."""
        return self.neuron_folds * self.pass_words

    @property
    def frame_cycles(self) -> int:
        """Cycles a frame."""
        return self.cycles * self.pixels

    @property
    def lanes(self) -> int:
        """XNOR gates, PE x SIMD."""
        return self.pe * self.simd

    @property
    def group_rows(self) -> int:
        """Rows of a group."""
        return self.outputs // self.groups

    @property
    def groups_at_once(self) -> int:
        """Groups whose rows are computed together, each with `simd` lanes of its own in a word."""
        return max(1, self.pe // self.group_rows) if self.groups > 1 else 1

    @property
    def word_lanes(self) -> int:
        """Lanes of a word that the engine takes: lane s of group j is s * groups_at_once + j."""
        return self.simd * self.groups_at_once


@dataclass(frozen=True, kw_only=True)
class LoadableFold(Fold):
    """The fold of a layer that takes other weights while it runs."""

    @property
    def loadable(self) -> bool:
        return True


def fold_of(layer: MatrixLayer, pe: int, simd: int, planes: Planes = "parallel", *, loadable: bool = False) -> Fold:
    """The fold of `layer` at this PE and SIMD."""
    kind = LoadableFold if loadable else Fold
    return kind(
        inputs=layer.inputs,
        outputs=layer.outputs,
        pe=pe,
        simd=simd,
        pixels=layer.pixels,
        groups=layer.groups,
        planes=(layer.takes.bits, layer.weight_type.bits) if planes == "serial" else (1, 1),
    )


def folds(network: Network, plan: Plan) -> tuple[Fold, ...]:
    """The fold of each layer. Raises PlanError if the plan does not fit the network."""
    plan.check(network)
    return tuple(
        fold_of(layer, choice.pe, choice.simd, choice.planes, loadable=choice.loadable)
        for layer, choice in zip(network.matrix_layers, plan.layers, strict=True)
    )


def smallest_fold(inputs: int, outputs: int, cycles: int, groups: int = 1) -> Fold:
    """The fold of the fewest lanes that takes at most `cycles` (at least 1) cycles a frame.

    Among equals: fewer padded lanes, then the most square one (PE near SIMD keeps both the accumulators
    and the popcount trees small).
    """

    def cost(fold: Fold) -> tuple[int, int, float]:
        padding = fold.cycles * fold.lanes - inputs * outputs
        return fold.lanes, padding, max(fold.pe / fold.simd, fold.simd / fold.pe)

    best: Fold | None = None
    for pe in row_choices(outputs, groups):
        folds_ = ceil_div(outputs, pe)
        if folds_ > cycles:
            continue
        simd = ceil_div(inputs, min(inputs, cycles // folds_))
        fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd, groups=groups)
        if best is None or cost(fold) < cost(best):
            best = fold
    assert best is not None  # one neuron fold is always among the candidates
    return best


def distinct_folds(size: int) -> list[int]:
    """Every value of ceil(size / k): about 2 sqrt(size) of them."""
    values = {ceil_div(size, k) for k in range(1, int(size**0.5) + 2)}
    return sorted(values | {ceil_div(size, v) for v in values} | {1})


def row_choices(outputs: int, groups: int = 1) -> list[int]:
    """The PEs to choose from: for every number of passes the least PE that gives it.

    Without groups any from 1 to `outputs`; in groups those that divide the rows of a group, or are a multiple of them.
    """
    if groups == 1:
        return [ceil_div(outputs, passes) for passes in distinct_folds(outputs)]
    rows = outputs // groups
    within = [pe for pe in range(1, rows) if rows % pe == 0]
    return [*(rows * ceil_div(groups, passes) for passes in distinct_folds(groups)), *within[::-1]]


def default_plan(network: Network, *, cycles: int | None = None, planes: Planes = "parallel") -> Plan:
    """A balanced plan: every layer as small as it can be while it takes at most `cycles` cycles a frame.

    With `planes` "serial", layers on values or weights of several bits take their planes one after the other.

    Without `cycles`, the larger of 64 and what brings the largest layer to 1,024 lanes.
    """
    check_buildable(network)
    if cycles is None:
        cycles = max([64, *(ceil_div(layer.weights.size * layer.pixels, 1024) for layer in network.matrix_layers)])
    if cycles < 1:
        raise PlanError(f"a frame takes at least 1 cycle, not {cycles}")
    layers = []
    for layer in network.matrix_layers:
        mine = planes_of(layer, planes)
        windows = layer.pixels * fold_of(layer, 1, 1, mine).plane_products
        fold = smallest_fold(layer.inputs, layer.outputs, max(1, cycles // windows), layer.groups)
        layers.append(LayerPlan(name=layer.name, pe=fold.pe, simd=fold.simd, planes=mine))
    return Plan(layers=tuple(layers), scores=network.gives == "values")


def with_folds(
    plan: Plan, network: Network, *, pe: Sequence[int] | None = None, simd: Sequence[int] | None = None
) -> Plan:
    """`plan` with other PE and SIMD: one value for all layers (cut to what a small layer has), or one each.

    Raises PlanError for a value below 1, a wrong count, or, where one is given for each layer, a value
    beyond the layer's size.
    """
    rows = _chosen("pe", pe, [layer.outputs for layer in network.matrix_layers], [layer.pe for layer in plan.layers])
    lanes = _chosen(
        "simd", simd, [layer.inputs for layer in network.matrix_layers], [layer.simd for layer in plan.layers]
    )
    if pe is not None and len(pe) == 1:
        rows = [_cut(layer, each) for layer, each in zip(network.matrix_layers, rows, strict=True)]
    layers = (replace(layer, pe=pe_, simd=simd_) for layer, pe_, simd_ in zip(plan.layers, rows, lanes, strict=True))
    result = replace(plan, layers=tuple(layers))
    result.check(network)
    return result


def hardwired(plan: Plan, network: Network) -> Plan:
    """`plan` with every layer hardwired. Raises PlanError for a layer that is too large for it."""
    layers = tuple(
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        for layer in network.matrix_layers
    )
    result = replace(plan, layers=layers)
    result.check(network)
    return result


def planes_of(layer: MatrixLayer, planes: Planes) -> Planes:
    """How a folded engine of `layer` takes its planes, where plane-serial is asked for: so if it has several."""
    return planes if serial_refusal("folded", layer) is None else "parallel"


def with_planes(plan: Plan, network: Network, planes: Planes) -> Plan:
    """`plan` with the planes of every folded layer taken so; with "serial", of those that have several.

    Raises PlanError for "serial" and a plan without such a layer.
    """
    layers = tuple(
        replace(choice, planes=planes_of(layer, planes)) if choice.engine == "folded" else choice
        for choice, layer in zip(plan.layers, network.matrix_layers, strict=True)
    )
    if planes == "serial" and all(choice.planes == "parallel" for choice in layers):
        raise PlanError(
            f"network {network.name} has no folded layer on values or weights of several bits, whose planes could be "
            "taken one after the other"
        )
    return replace(plan, layers=layers)


def with_loadable(plan: Plan, network: Network, which: Literal["all", "last"]) -> Plan:
    """`plan` whose layers with weights, or the last of them alone, take other weights while they run.

    Raises PlanError for a layer that cannot.
    """
    layers = tuple(replace(layer, loadable=which == "all" or layer is plan.layers[-1]) for layer in plan.layers)
    result = replace(plan, layers=layers)
    result.check(network)
    return result


def _cut(layer: MatrixLayer, pe: int) -> int:
    """The most that is at most `pe` and that the groups of a layer may have."""
    if layer.groups == 1:
        return pe
    rows = layer.outputs // layer.groups
    return pe // rows * rows if pe >= rows else max(each for each in range(1, pe + 1) if rows % each == 0)


def _chosen(key: str, values: Sequence[int] | None, limits: list[int], present: list[int]) -> list[int]:
    if values is None:
        return present
    if len(values) == 1:
        if values[0] > max(limits):
            raise PlanError(f"{key} {values[0]} is more than any layer has ({max(limits)} at the most)")
        return [min(values[0], limit) for limit in limits]
    if len(values) != len(limits):
        raise PlanError(f"{len(values)} values of {key} for {len(limits)} layers; give one, or one each")
    return list(values)
