"""The 8x8 handwritten digits that come inside scikit-learn: 1,797 frames of values 0..16, no download.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
"""

import numpy as np

from bitwright_core.errors import DataError
from bitwright_data.dataset import Dataset, every_fifth


def load_digits_dataset() -> Dataset:
    """The digits as uint8 (n, 8, 8), 0..16. Every fifth frame of each class is held out: no random split."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError("digits comes from scikit-learn, which is not installed: pip install scikit-learn") from None
    bunch = load_digits()
    frames = bunch.images.astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    held_out = every_fifth(labels)
    return Dataset(
        name="digits",
        train_frames=frames[~held_out],
        train_labels=labels[~held_out],
        test_frames=frames[held_out],
        test_labels=labels[held_out],
        labels=tuple("0123456789"),
    )
