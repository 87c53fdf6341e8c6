"""The files of a parameter set: a layer's weights and thresholds, as they were folded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import ParameterSetError
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.plan import ceil_div

_WORD_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Layer number `index` of a set: its files have `rows` x `columns` of weights, padding included.

    `weight_type` is that of a field of a word, and `levels` the thresholds of a row.
    """

    folder: Path
    index: int
    rows: int
    columns: int
    pe: int
    simd: int
    weight_type: NumberType = BINARY
    levels: int = 1

    @property
    def neuron_folds(self) -> int:
        return ceil_div(self.rows, self.pe)

    @property
    def synapse_folds(self) -> int:
        return ceil_div(self.columns, self.simd)

    def weights(self, rows: int) -> NDArray[np.int8]:
        """The first `rows` rows, all columns, as stored: (rows, columns).

        A word for each (nf, sf), sf fastest, of file pe: row nf * pe_count + pe, column sf * simd + s in field s, the
        lowest first, each as wide as a weight.
        """
        width, planes = self.weight_type.bits, np.array(self.weight_type.planes, np.int8)
        result = np.zeros((self.neuron_folds, self.pe, self.synapse_folds * self.simd), np.int8)
        for pe in range(min(self.pe, rows)):
            file = self.folder / f"{self.index}-{pe}-weights.bin"
            words = self._words(file, self.neuron_folds * self.synapse_folds, "weights")
            if self.simd * width < 64 and np.any(words >> np.uint64(self.simd * width)):
                raise ParameterSetError(
                    f"{file}: words have bits set beyond simd {self.simd} of {self.weight_type} weights; a wrong simd "
                    "or wrong weights in the topology look like this"
                )
            bits = np.unpackbits(words.view(np.uint8).reshape(-1, _WORD_BYTES), axis=1, bitorder="little")
            fields = bits[:, : self.simd * width].reshape(-1, self.simd, width).astype(np.int8) @ planes
            if fields.size and (fields.min() < self.weight_type.stored[0] or fields.max() > self.weight_type.stored[1]):
                raise ParameterSetError(
                    f"{file}: a weight of {int(fields.min())}, which no {self.weight_type} weight is; a wrong simd or "
                    "wrong weights in the topology look like this"
                )
            result[:, pe] = fields.reshape(self.neuron_folds, -1)
        return result.reshape(-1, result.shape[2])[:rows, : self.columns]

    def thresholds(self, rows: int) -> NDArray[np.int64]:
        """The thresholds of the first `rows` rows: (rows, levels), not decreasing along levels.

        A word for each (nf, level), the level fastest, of file pe.
        """
        result = np.zeros((self.neuron_folds, self.pe, self.levels), np.int64)
        for pe in range(min(self.pe, rows)):
            file = self.folder / f"{self.index}-{pe}-thres.bin"
            words = self._words(file, self.neuron_folds * self.levels, "thresholds")
            result[:, pe] = words.view(np.int64).reshape(-1, self.levels)
        return np.sort(result.reshape(-1, self.levels)[:rows], axis=1)

    def _words(self, file: Path, count: int, what: str) -> NDArray[np.uint64]:
        """`count` little-endian words; those that a shorter file lacks are 0."""
        try:
            raw = file.read_bytes()
        except FileNotFoundError:
            raise ParameterSetError(
                f"{file}: no such file of {what}; the topology has {self.pe} of them for layer {self.index}"
            ) from None
        except OSError as error:
            raise ParameterSetError(f"{file}: cannot be read ({error.strerror or error})") from None
        if not raw or len(raw) % _WORD_BYTES:
            raise ParameterSetError(f"{file}: {len(raw)} bytes are no whole words of 8; was it cut short?")
        if len(raw) > count * _WORD_BYTES:
            raise ParameterSetError(
                f"{file}: {len(raw) // _WORD_BYTES} words, but {self.rows} x {self.columns} in folds of {self.pe} x "
                f"{self.simd} have {count}; the set does not have the topology's sizes, or values of several bits"
            )
        words = np.zeros(count, "<u8")
        words[: len(raw) // _WORD_BYTES] = np.frombuffer(raw, "<u8")
        return words


def has_thresholds(folder: Path, index: int) -> bool:
    """Whether layer number `index` has files of thresholds."""
    return (folder / f"{index}-0-thres.bin").is_file()


def read_classes(folder: Path) -> tuple[str, ...]:
    """The names in classes.txt, one a line; none if there is no such file. Raises ParameterSetError."""
    file = folder / "classes.txt"
    try:
        return tuple(line.strip() for line in file.read_text("utf-8").splitlines() if line.strip())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterSetError(f"{file}: cannot be read as text ({error})") from None
