"""Any trained model to its Network, and the proof that both compute the same."""

from typing import Any

from numpy.typing import NDArray

from bitwright_core.class_scores import SCORE_BITS
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_train import export, export_check
from bitwright_train.export_check import ExportCheck
from bitwright_train.lut_export import check_luts, export_luts
from bitwright_train.lut_model import LutNetwork
from bitwright_train.model import BinaryNetwork


def export_model(
    model: BinaryNetwork | LutNetwork,
    *,
    name: str,
    labels: tuple[str, ...] = (),
    score_bits: int = SCORE_BITS,
    progress: Progress | None = None,
) -> Network:
    """The Network that computes what `model` computes in evaluation mode. Raises ExportError.

    Class scores behind a batch norm have about `score_bits` bits, so that classes may differ where two logits nearly
    tie; 0 keeps the order of all logits. Counts of lookup tables' bits are exact.
    """
    if isinstance(model, LutNetwork):
        return export_luts(model, name=name, labels=labels)
    return export.export_model(model, name=name, labels=labels, score_bits=score_bits, progress=progress)


def check_export(
    model: BinaryNetwork | LutNetwork,
    network: Network,
    frames: NDArray[Any],
    *,
    score_bits: int = SCORE_BITS,
    progress: Progress | None = None,
) -> ExportCheck:
    """Proves on integer frames (n, ...) that torch and the golden model agree in every layer's integers.

    Raises ExportError at the first difference, naming frame, layer and neuron.
    """
    if isinstance(model, LutNetwork):
        return check_luts(model, network, frames, progress=progress)
    return export_check.check_export(model, network, frames, score_bits=score_bits, progress=progress)
