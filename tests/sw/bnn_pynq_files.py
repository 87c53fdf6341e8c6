"""Writes random parameter sets as BNN-PYNQ folds them, from the rows that they stand for."""

import numpy as np


def write_layer(folder, index, weights, thresholds, *, pe, simd, keep=None):
    """Weights (rows, columns) of 0/1 and thresholds (rows,) or None as the files of layer `index`.

    `keep` cuts every file of weights after that many words.
    """
    rows, columns = weights.shape
    assert rows % pe == 0 and columns % simd == 0
    for lane in range(pe):
        words = []
        for nf in range(rows // pe):
            for sf in range(columns // simd):
                bits = weights[nf * pe + lane, sf * simd : (sf + 1) * simd]
                words.append(sum(int(bit) << s for s, bit in enumerate(bits)))
        raw = b"".join(word.to_bytes(8, "little") for word in words[:keep])
        (folder / f"{index}-{lane}-weights.bin").write_bytes(raw)
        if thresholds is not None:
            raw = b"".join(
                int(thresholds[nf * pe + lane]).to_bytes(8, "little", signed=True) for nf in range(rows // pe)
            )
            (folder / f"{index}-{lane}-thres.bin").write_bytes(raw)


def padded(weights, thresholds, rows, columns, rng):
    """The layer with padding: columns of random weight (whose input is bit 0), rows of threshold 32767."""
    full = rng.integers(0, 2, (rows, columns), dtype=np.uint8)
    full[: weights.shape[0], : weights.shape[1]] = weights
    limits = np.full(rows, 32767, np.int64)
    limits[: len(thresholds)] = thresholds
    return full, limits
