"""The files of a parameter set: a layer's weights and thresholds, as they were folded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import ParameterSetError
from bitwright_core.plan import ceil_div

_WORD_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Layer number `index` of a set: its files have `rows` x `columns` of weights, padding included."""

    folder: Path
    index: int
    rows: int
    columns: int
    pe: int
    simd: int

    @property
    def neuron_folds(self) -> int:
        return ceil_div(self.rows, self.pe)

    @property
    def synapse_folds(self) -> int:
        return ceil_div(self.columns, self.simd)

    def weights(self, rows: int) -> NDArray[np.uint8]:
        """The first `rows` rows, all columns: (rows, columns) of 0 and 1.

        A word for each (nf, sf), sf fastest, of file pe: row nf * pe_count + pe, column sf * simd + s in bit s.
        """
        result = np.zeros((self.neuron_folds, self.pe, self.synapse_folds * self.simd), np.uint8)
        for pe in range(min(self.pe, rows)):
            file = self.folder / f"{self.index}-{pe}-weights.bin"
            words = self._words(file, self.neuron_folds * self.synapse_folds, "weights")
            if self.simd < 64 and np.any(words >> np.uint64(self.simd)):
                raise ParameterSetError(
                    f"{file}: words have bits set beyond simd {self.simd}; weights of several bits cannot be imported, "
                    "and a wrong simd in the topology looks like this, too"
                )
            bits = np.unpackbits(words.view(np.uint8).reshape(-1, _WORD_BYTES), axis=1, bitorder="little")
            result[:, pe] = bits[:, : self.simd].reshape(self.neuron_folds, -1)
        return result.reshape(-1, result.shape[2])[:rows, : self.columns]

    def thresholds(self, rows: int) -> NDArray[np.int64]:
        """The thresholds of the first `rows` rows: (rows,)."""
        result = np.zeros((self.neuron_folds, self.pe), np.int64)
        for pe in range(min(self.pe, rows)):
            file = self.folder / f"{self.index}-{pe}-thres.bin"
            result[:, pe] = self._words(file, self.neuron_folds, "thresholds").view(np.int64)
        return result.reshape(-1)[:rows]

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
                f"{self.simd} have {count}; the set does not have the topology's sizes, or has values of several bits"
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
