"""What follows from a layer's size and what a plan chose for it: fold counts, lanes, cycles. Nobody sets these."""

from dataclasses import dataclass

from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan.plan import Plan, Planes


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


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
