"""What a BNN-PYNQ parameter set does not say of itself: shapes, folding, encoding, class rule. A TOML file each."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bitwright_core.errors import ParameterSetError
from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean, did_you_mean_path

WORD_BITS = 64  # of the files: a word holds the weights of all lanes
_FOLDER = "topologies"
Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]

Values = Literal["binary", "ternary"]


class InputIntegers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input values spread evenly over least .. largest, rounded (halves up) to signed fixed point and clipped."""

    least: float
    largest: float
    bits: Annotated[int, msgspec.Meta(ge=2, le=17)]
    fraction_bits: Annotated[int, msgspec.Meta(ge=0, le=32)]


class InputEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The frame, and either the thresholds of its bits or the fixed point of its integers."""

    shape: list[Size]
    bits: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    thresholds: list[int] = []
    integers: InputIntegers | None = None


class FoldedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer with weights: rows in use, folding, and how far the files are padded beyond both."""

    outputs: Size
    simd: Annotated[int, msgspec.Meta(ge=1, le=WORD_BITS)]
    pe: Size
    weights: Values = "binary"
    activations: Values = "binary"  # ternary: two thresholds a row, from -1
    padded_outputs: Size | None = None  # rows of the files; default: outputs, to a multiple of pe
    # on integers: fraction bits that the thresholds have beyond the accumulator's, raw < accumulator * 2^shift
    threshold_shift: Annotated[int, msgspec.Meta(ge=0, le=32)] = 0


class DenseEntry(FoldedEntry, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="dense", tag_field="kind"):
    """A dense layer. Columns beyond its inputs, up to a multiple of simd, are padding."""

    padded_inputs: Size | None = None


class ConvEntry(FoldedEntry, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="conv", tag_field="kind"):
    """A convolution without padding at the border; columns run (ky, kx, channel), channel fastest."""

    kernel: Size
    stride: Size = 1
    padded_channels: Size | None = None  # channels of each tap in the files; default: as many as there are


class PoolEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pool", tag_field="kind"):
    """A max-pool."""

    kernel: Size
    stride: Size | None = None  # default: the kernel


class Topology(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network's shape; files are numbered by the layers that have weights, from 0.

    `class_rule` is for the last layer: largest_count (no thresholds; the first largest popcount or sum) or highest_bit
    (the last class whose threshold is reached, 0 if none is). The classes are its outputs.
    """

    name: str
    class_rule: Literal["largest_count", "highest_bit"]
    input: InputEntry
    layers: list[DenseEntry | ConvEntry | PoolEntry]


def topology_names() -> tuple[str, ...]:
    """The topologies that ship."""
    folder = resources.files("bitwright_bnn_pynq").joinpath(_FOLDER)
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_topology(name_or_path: str | Path) -> Topology:
    """A topology that ships, by name, or a TOML file's. Raises ParameterSetError, naming the key."""
    name = str(name_or_path)
    if name in topology_names():
        raw = resources.files("bitwright_bnn_pynq").joinpath(_FOLDER, f"{name}.toml").read_bytes()
    else:
        try:
            raw = Path(name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            raise ParameterSetError(
                f"{name}: no such file, and not a topology that ships ({', '.join(topology_names())})"
                + (did_you_mean(name, topology_names()) or did_you_mean_path(Path(name)))
            ) from None
        except OSError as error:
            raise ParameterSetError(f"{name}: cannot be read ({error.strerror or error})") from None
    try:
        values = msgspec.toml.decode(raw)
        mistake = first_mistake(values, Topology)
        if mistake is not None:
            raise ParameterSetError(f"{name}: {mistake}")
        topology = msgspec.convert(values, Topology)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParameterSetError(f"{name}: {error}") from None
    if bool(topology.input.thresholds) == (topology.input.integers is not None):
        raise ParameterSetError(f"{name}: the input needs thresholds or an [input.integers] table, and not both")
    if not topology.layers or not isinstance(topology.layers[-1], DenseEntry):
        raise ParameterSetError(f"{name}: the last layer must be a dense one, whose outputs are the classes")
    if topology.layers[-1].activations != "binary":
        raise ParameterSetError(f"{name}: the last layer chooses a class, so it has no ternary activations")
    for layer in topology.layers:
        if isinstance(layer, FoldedEntry) and layer.weights == "ternary" and 2 * layer.simd > WORD_BITS:
            raise ParameterSetError(
                f"{name}: simd {layer.simd} of ternary weights, but a word of {WORD_BITS} bits holds {WORD_BITS // 2}"
            )
    return topology
