"""A Network from its file, and to it."""

from pathlib import Path

import msgspec

from bitwright_core.errors import NetworkError
from bitwright_core.network.encoding import Input
from bitwright_core.network.file import FileTensors, Header, read_file
from bitwright_core.network.model import Network
from bitwright_core.network.worth import Values
from bitwright_core.ops.operator import Facts

_ADDED = {  # by each version to the one before
    2: "encodings of several rows, or of integers of more than 17 bits, values of scores, or labels of bits",
    3: "thresholds of several levels or from below 0, weights other than -1 and +1, unsigned or ternary numbers, "
    "pools of integers, further kinds of layer, or branches",
}


def load(path: object) -> Network:
    """Reads and checks a network file. Raises NetworkError for a file that is missing, cut or not one."""
    file = Path(str(path))
    header, tensors = read_file(file)
    try:
        return _network(header, tensors)
    except NetworkError as error:
        raise NetworkError(f"{file}: {error}") from None


def _network(header: Header[Facts], tensors: FileTensors) -> Network:
    encoding = tensors.encoding()
    layers = [facts.build(tensors.of(f"layers.{index}.")) for index, facts in enumerate(header.layers)]
    if tensors.left:
        raise NetworkError(f"unexpected tensor {min(tensors.left)}")
    network = Network(
        name=header.name,
        input=Input(shape=tuple(header.input_shape), bits=header.input_bits),
        encoding=encoding,
        layers=tuple(layers),
        takes=() if header.takes is msgspec.UNSET else tuple(map(tuple, header.takes)),
        labels=tuple(header.labels),
        values=None if header.values is msgspec.UNSET else Values(step=header.values.step, error=header.values.error),
    )
    if network.format_version > header.version:
        raise NetworkError(
            f"a file of format {header.version} with what only format {network.format_version} has: "
            f"{_ADDED[network.format_version]}"
        )
    return network


def save(network: Network, path: object) -> None:
    """Writes a network file, as `Network.save` does."""
    network.save(path)
