"""Weights that are loaded into a running accelerator: which networks fit, and the bytes that a load takes.

A plan marks layers as loadable. Their weights, thresholds and score constants may change, all else is the structure of
the accelerator, whose digest is in its registers. A load is the bits of the words of all their memories in order, the
least significant bit of each first, with zeros up to a multiple of 32; hardware computes its CRC-32 (that of zlib).
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bitwright_core.atomic import write_bytes
from bitwright_core.checks import SCORE_BITS
from bitwright_core.errors import DesignError, NetworkError
from bitwright_core.network import MatrixLayer, Network, Operator, Scores, Thresholds, Votes, signed_bits
from bitwright_core.plan import Plan
from bitwright_core.untrusted import Digest, Name, PlainFile, decode_json

SCALE_BITS = 16  # of a score's scale that a loadable layer holds at the least
LOAD_FORMAT = 1
WORD = 32  # bits that come at a time
MAX_LOAD_BYTES = 1 << 30
_HEADER = 4096  # bytes of a load file's first line at the most

LoadBytes = Annotated[int, Meta(ge=1, le=MAX_LOAD_BYTES)]
Crc = Annotated[int, Meta(ge=0, lt=1 << 32)]


@dataclass(frozen=True, kw_only=True)
class ScoreWidths:
    """Bits of the constants of loadable scores: of a scale (unsigned), and of a score and an offset (signed); and the
    largest size of an offset, with which no score is as low as the lowest number of these bits."""

    scale_bits: int
    score_bits: int
    largest_offset: int


def score_constants(layer: MatrixLayer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Scales and offsets of a last layer that gives scores. Votes are scales of what is 1 or 0."""
    if isinstance(layer.output, Votes):
        return layer.output.votes, np.zeros_like(layer.output.votes)
    assert isinstance(layer.output, Scores)
    return layer.output.scale, layer.output.offset


def score_widths(layer: MatrixLayer) -> ScoreWidths:
    """The widths of a loadable layer of scores: SCALE_BITS, or what its own scores need."""
    scales, offsets = score_constants(layer)
    scale = max(SCALE_BITS, int(scales.max()).bit_length())
    largest = 1 if isinstance(layer.output, Votes) else max(map(abs, layer.widest_count_range))
    highest = ((1 << scale) - 1) * largest
    offset = max(highest, int(np.abs(offsets).max()))
    bits = signed_bits(-highest - offset - 1)
    if bits <= SCORE_BITS:
        return ScoreWidths(scale_bits=scale, score_bits=bits, largest_offset=offset)
    # no network has scores, or offsets, of more bits, whatever its scales
    return ScoreWidths(scale_bits=scale, score_bits=SCORE_BITS, largest_offset=(1 << (SCORE_BITS - 1)) - 1)


def loadable_layers(network: Network, plan: Plan) -> list[MatrixLayer]:
    """The layers of `network`, of the plan's layers, that are loadable."""
    return [layer for layer, choice in zip(network.matrix_layers, plan.layers, strict=True) if choice.loadable]


def load_data(parts: Sequence[NDArray[np.uint8]]) -> bytes:
    """The bytes of a load whose memories have the bits `parts`, each (words, bits of a word)."""
    bits = np.concatenate([part.reshape(-1) for part in parts])
    packed = np.packbits(bits, bitorder="little").tobytes()
    return packed + bytes(-len(packed) % (WORD // 8))


def structure(network: Network, plan: Plan) -> str:
    """SHA-256 (hex) over all of an accelerator that loads do not change: the network without what its loadable layers
    are loaded with, the plan, and the widths of what is loaded."""
    layers = loadable_layers(network, plan)
    widths = [score_widths(layer) for layer in layers if layer.gives_scores]
    told = [(each.scale_bits, each.score_bits) for each in widths]
    sums = "".join(f"\n{layer.name} {layer.edge.number}" for layer in layers if _gives_sums(layer))
    digest = network.digest_of(_blank(network, plan))
    return sha256(f"bitwright structure 1\n{digest}\n{plan.text}{told}{sums}".encode()).hexdigest()


def _gives_sums(layer: MatrixLayer) -> bool:
    """Whether it gives sums, whose scales, offsets and number type are part of the structure."""
    return layer.output.compared is None and not layer.gives_scores


def _blank(network: Network, plan: Plan) -> tuple[Operator, ...]:
    """The layers of `network`, loadable ones with weights, thresholds and scores that say nothing."""
    choices = iter(plan.layers)
    layers: list[Operator] = []
    for layer in network.layers:
        if layer.matrix is None or not next(choices).loadable:
            layers.append(layer)
            continue
        output = layer.matrix.output
        if isinstance(output, Votes):
            output = replace(output, thresholds=output.thresholds * 0, votes=output.votes * 0)
        elif isinstance(output, Scores) and not _gives_sums(layer.matrix):
            ones = np.ones(output.outputs, np.int64)
            output = replace(output, scale=ones, offset=ones * 0)
        elif isinstance(output, Thresholds):
            output = replace(output, values=np.zeros_like(output.values))
        layers.append(replace(layer, weights=np.zeros_like(layer.matrix.weights), output=output))  # type: ignore[type-var]
    return tuple(layers)


def check_structure(network: Network, held: Network, plan: Plan, where: object) -> None:
    """Raises DesignError, naming `where`, unless `network` can be loaded into an accelerator made for `held`."""
    if len(network.matrix_layers) != len(held.matrix_layers):
        raise DesignError(
            f"network {network.name} has {len(network.matrix_layers)} layers with weights, but {where} was generated "
            f"for {len(held.matrix_layers)}; generate a design for it"
        )
    if network.digest_of(_blank(network, plan)) != held.digest_of(_blank(held, plan)):
        what = _difference(network, held, plan)
        raise DesignError(
            f"network {network.name} has another structure than {where} ({what}): only weights, thresholds and scores "
            "of loadable layers may differ; generate a design for it"
        )
    for layer, known in zip(loadable_layers(network, plan), loadable_layers(held, plan), strict=True):
        if _gives_sums(layer) and layer.edge.number != known.edge.number:
            raise DesignError(
                f"network {network.name}, layer {layer.name}: it gives {layer.edge.number} sums, but {where} was "
                f"generated for {known.edge.number} ones; generate a design for it"
            )
        if not layer.gives_scores:
            continue
        widths = score_widths(known)
        scale, offset = (int(np.abs(each).max()) for each in score_constants(layer))
        if scale >> widths.scale_bits or offset > widths.largest_offset:
            raise DesignError(
                f"network {network.name}, layer {layer.name}: scales up to {scale} and offsets up to {offset} do not "
                f"fit into {where}, which holds {(1 << widths.scale_bits) - 1} and {widths.largest_offset}; "
                "generate a design for it"
            )


def _difference(network: Network, held: Network, plan: Plan) -> str:
    """Where two networks of as many layers differ, in a few words."""
    if [*network.encoding.digest_parts(network.input)] != [*held.encoding.digest_parts(held.input)]:
        return "in its input or encoding"
    for layer, known in zip(_blank(network, plan), _blank(held, plan), strict=False):
        if [*layer.digest_parts()] != [*known.digest_parts()]:
            return f"in layer {layer.name}"
    return "in its graph"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What makes an accelerator of structure `structure` compute another network; a file of it has `header` as JSON in
    its first line, and the bytes behind."""

    name: Name  # of the network
    network_digest: Digest
    structure: Digest
    data: bytes

    @property
    def crc(self) -> int:
        """What hardware computes of the bytes."""
        return zlib.crc32(self.data)

    @property
    def header(self) -> dict[str, str | int]:
        """The first line of a load file."""
        return {
            "format": LOAD_FORMAT,
            "name": self.name,
            "network_digest": self.network_digest,
            "structure": self.structure,
            "bytes": len(self.data),
            "crc": self.crc,
        }

    @property
    def content(self) -> bytes:
        """A load file."""
        return json.dumps(self.header).encode() + b"\n" + self.data

    def save(self, path: object) -> None:
        """Writes the load file, atomically."""
        write_bytes(Path(str(path)), self.content)

    @staticmethod
    def read(path: object) -> "Load":
        """The load of a file. Raises NetworkError for one that is missing, damaged or of another format."""
        file = Path(str(path))
        try:
            if file.stat().st_size > MAX_LOAD_BYTES + _HEADER:
                raise NetworkError(f"{file}: larger than any load")
            line, _, data = file.read_bytes().partition(b"\n")
            header = decode_json(line, _Header)
        except OSError as error:
            raise NetworkError(f"{file}: cannot be read ({error.strerror})") from None
        except msgspec.DecodeError as error:
            raise NetworkError(f"{file}: no load file ({error}); write it with: bitwright weights") from None
        if header.format != LOAD_FORMAT:
            raise NetworkError(f"{file}: load format {header.format}, not {LOAD_FORMAT}; write it again")
        if len(data) != header.bytes or zlib.crc32(data) != header.crc:
            raise NetworkError(f"{file}: damaged (its bytes are not those that it was written with); write it again")
        return Load(
            name=header.name, network_digest=header.network_digest, structure=header.structure, data=bytes(data)
        )


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a load file."""

    format: int
    name: Name
    network_digest: Digest
    structure: Digest
    bytes: LoadBytes
    crc: Crc


class LoadMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A memory that is loaded: of which layer, what of it, and its words.

    Of a layer with thresholds accumulators begin below the (middle) `thresholds`; the other ones are its `levels`.
    Where what accumulators of others begin with depends on weights, these are its `starts`.
    """

    layer: Name
    part: Annotated[str, Meta(pattern=r"\A(weights|starts|thresholds|levels|scores)\Z")]
    width: Annotated[int, Meta(ge=1, le=1 << 24)]  # bits of a word
    depth: Annotated[int, Meta(ge=1, le=1 << 24)]  # words

    @property
    def bits(self) -> int:
        """Bits that a load has for it."""
        return self.depth * self.width


class LoadEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a manifest says of loads: the structure, the memories in order, and the CRC of what the design was generated
    with.

    An accelerator that begins without weights has no contents in its memories; `file` of the design is then the load of
    its own network.
    """

    structure: Digest
    memories: Annotated[list[LoadMemory], Meta(min_length=1, max_length=4096)]
    crc: Crc
    file: PlainFile | msgspec.UnsetType = msgspec.UNSET

    @property
    def first(self) -> str | None:
        """The file of the load that it needs before it computes; None where it begins with its own network."""
        return None if isinstance(self.file, msgspec.UnsetType) else self.file

    @property
    def bytes(self) -> int:
        """Bytes of a load."""
        return WORD // 8 * -(-sum(memory.bits for memory in self.memories) // WORD)


def check_load(load: Load, network: Network, entry: LoadEntry | None, where: object) -> None:
    """Raises DesignError unless `load` is of `network`, and made for the design in `where`, whose manifest has
    `entry`."""
    if entry is None:
        raise DesignError(f"{where}: {FIXED}")
    if (load.structure, len(load.data)) != (entry.structure, entry.bytes):
        raise DesignError(
            f"the load of network {load.name} is for structure {load.structure[:12]}, and {where} has "
            f"{entry.structure[:12]}; write it for this design: bitwright weights"
        )
    if load.network_digest != network.digest:
        raise DesignError(
            f"the load is of network {load.name}, digest {load.network_digest[:12]}, not of {network.name}, "
            f"{network.digest[:12]}; write it again: bitwright weights"
        )


FIXED = "its weights are fixed; generate a design that takes others: bitwright generate --loadable all"
