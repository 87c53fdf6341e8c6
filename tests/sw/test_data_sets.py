"""The data sets: what they hold, and the message for each thing that can be wrong with them."""

import gzip
import struct
import subprocess
import sys

import numpy as np
import pytest

from bitwright_core.errors import DataError
from bitwright_data import Dataset, load_dataset
from bitwright_data.idx import read_idx


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist_folder(tmp_path):
    """A folder with a tiny MNIST in it: 12 training frames, gzipped, and 5 test frames, raw."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for stem, count, packed in (("train", 12, True), ("t10k", 5, False)):
        for kind, array in (
            ("images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1-ubyte", np.arange(count) % 10),
        ):
            content = idx_bytes(array)
            name = f"{stem}-{kind}" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder


def npz(path, **changes):
    arrays = {
        "x_train": np.zeros((6, 3, 2), np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": np.zeros((2, 3, 2), np.uint8),
        "y_test": np.array([2, 0]),
    } | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_importing_data_loads_neither_torch_nor_sklearn():
    code = (
        "import sys, bitwright_data, bitwright_train; bitwright_train.load_config('digits');"
        "print([name for name in ('torch', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_digits_are_a_stratified_split_of_all_1797():
    data = load_dataset("digits")
    assert data.train_frames.shape == (1433, 8, 8)
    assert data.test_frames.shape == (364, 8, 8)
    assert data.train_frames.dtype == np.uint8
    assert (data.train_frames.max(), data.value_bits) == (16, 5)
    assert data.labels == tuple("0123456789")
    shares = np.bincount(data.test_labels) / (np.bincount(data.test_labels) + np.bincount(data.train_labels))
    assert np.all((shares > 0.195) & (shares < 0.21))
    both = np.concatenate([data.train_frames, data.test_frames]).reshape(1797, 64)
    from sklearn.datasets import load_digits

    assert sorted(map(bytes, both)) == sorted(map(bytes, load_digits().data.astype(np.uint8)))


@pytest.mark.parametrize("flat", [False, True])
def test_mnist_reads_gzipped_and_raw_files(mnist_folder, flat):
    data = load_dataset("mnist", mnist_folder if flat else mnist_folder.parent)
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(data.train_frames, rng.integers(0, 256, (12, 28, 28)))
    assert data.test_frames.shape == (5, 28, 28)
    assert data.test_labels.tolist() == [0, 1, 2, 3, 4]
    assert (data.test_labels.dtype, data.classes, data.shape) == (np.int64, 10, (28, 28))


def test_fashion_mnist_has_its_names(mnist_folder):
    mnist_folder.rename(mnist_folder.parent / "fashion-mnist")
    assert load_dataset("fashion-mnist", mnist_folder.parent).labels[9] == "Ankle boot"


def test_without_a_data_folder_the_message_asks_for_one():
    with pytest.raises(DataError, match=r"mnist is read from files: give --data-dir.*train-images-idx3-ubyte"):
        load_dataset("mnist", None)


def test_a_data_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder; --data-dir"):
        load_dataset("mnist", tmp_path / "nowhere")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"no data set 'cifar'.*digits, mnist, fashion-mnist.*\.npz"):
        load_dataset("cifar", None)


def test_a_missing_file_is_named(mnist_folder):
    (mnist_folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"mnist: t10k-labels-idx1-ubyte \(or \.gz\) is missing"):
        load_dataset("mnist", mnist_folder)


IMAGES = idx_bytes(np.zeros((5, 28, 28)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", r"not an IDX file of unsigned bytes \(it starts with 3c68746d"),
        (b"\0\0\x0d\x03" + IMAGES[4:], r"not an IDX file of unsigned bytes"),
        (b"\0\0", r"cut short inside its header"),
        (IMAGES[:9], r"cut short inside its header"),
        (idx_bytes(np.zeros(5)), r"has 1 dimensions where 3 are expected"),
        (IMAGES[:-1], r"promises 3920 values but holds 3919"),
        (IMAGES + b"\0", r"promises 3920 values but holds more"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1 << 31, 1 << 31, 28), r"impossible dimensions"),
        (idx_bytes(np.zeros((5, 28, 27))), r"images of \(28, 27\) pixels, but mnist has \(28, 28\)"),
        (idx_bytes(np.zeros((4, 28, 28))), r"4 t10k images but 5 labels"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_image_files(mnist_folder, content, message, packed):
    path = mnist_folder / "t10k-images-idx3-ubyte"
    path.unlink()
    path = path.with_name(path.name + ".gz") if packed else path
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", mnist_folder)
    assert str(mnist_folder) in str(caught.value)


def test_labels_beyond_nine(mnist_folder):
    (mnist_folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([0, 1, 2, 3, 10])))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: label 10, but mnist has 0\.\.9"):
        load_dataset("mnist", mnist_folder)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-9], lambda raw: raw[:40] + b"\xff" * 20 + raw[60:], lambda raw: b"plain" + raw]
)
def test_bad_gzip_files(tmp_path, damage):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    noise = np.random.default_rng(1).integers(0, 256, (5, 28, 28))
    path.write_bytes(damage(gzip.compress(idx_bytes(noise))))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: damaged or cut gzip file"):
        read_idx(path, 3)


def test_npz_of_the_user(tmp_path):
    data = load_dataset(str(npz(tmp_path / "mine.npz", labels=np.array(["cat", "dog", "eel"]))), None)
    assert (data.name, data.labels, data.shape) == ("mine", ("cat", "dog", "eel"), (3, 2))
    assert data.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.train_frames.dtype == np.uint8


def test_npz_is_found_in_the_data_folder_and_takes_whole_floats_and_wide_values(tmp_path):
    npz(tmp_path / "mine.npz", x_train=np.full((6, 4), 700.0), x_test=np.zeros((2, 4), bool))
    data = load_dataset("mine.npz", tmp_path)
    assert (data.train_frames.dtype, data.value_bits) == (np.uint16, 10)
    assert data.labels == ("0", "1", "2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, r"has no x_test; an \.npz data set holds x_train, y_train, x_test, y_test"),
        ({"x_train": np.full((6, 3, 2), np.nan)}, r"x_train holds NaN"),
        ({"x_train": np.full((6, 3, 2), 0.5)}, r"x_train holds fractions.*255"),
        ({"x_train": np.full((6, 3, 2), np.inf)}, r"x_train holds fractions or infinities"),
        ({"x_train": np.full((6, 3, 2), -1)}, r"x_train must lie in 0\.\.65535, not -1\.\.-1"),
        ({"x_train": np.full((6, 3, 2), 65536)}, r"x_train must lie in 0\.\.65535"),
        ({"x_train": np.full((6, 3, 2), "a")}, r"x_train must hold numbers, not <U1"),
        ({"x_train": np.zeros(6)}, r"training frames must have shape \(n, H, W\).*not \(6,\)"),
        ({"x_test": np.zeros((2, 3, 3))}, r"training frames have shape \(3, 2\) but test frames \(3, 3\)"),
        ({"y_train": np.zeros((6, 1))}, r"y_train has shape \(6, 1\), but y_test \(2,\)"),
        (
            {"y_train": np.zeros((6, 1, 2, 1))},
            r"y_train must be a list of class numbers, .*not of shape \(6, 1, 2, 1\)",
        ),
        (
            {"y_train": np.full((6, 2), 2), "y_test": np.zeros((2, 2))},
            r"training labels must be 0 or 1, of shape \(6, 2\)",
        ),
        ({"y_train": np.zeros((6, 2)), "y_test": np.zeros((2, 3))}, r"test labels must be 0 or 1, of shape \(2, 2\)"),
        ({"y_train": np.arange(5) % 3}, r"6 training frames but labels of shape \(5,\)"),
        ({"y_train": np.zeros(6)}, r"at least two classes, not 1"),
        ({"y_train": np.full(6, -1)}, r"y_train must lie in 0\.\."),
        ({"y_test": np.array([0, 3])}, r"test labels must lie in 0\.\.2, not 0\.\.3"),
        ({"y_test": np.array([0.5, 1])}, r"y_test holds fractions"),
        ({"labels": np.array([1, 2, 3])}, r"labels must be a list of texts, not int64"),
        ({"labels": np.array(["a", "b"])}, r"training labels must lie in 0\.\.1, not 0\.\.2"),
        ({"x_train": np.array([{}] * 6)}, r"not a readable \.npz .*no object arrays"),
    ],
)
def test_npz_mistakes(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load_dataset(str(npz(tmp_path / "mine.npz", **changes)), None)


def test_npz_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npz: no such data file"):
        load_dataset(str(tmp_path / "gone.npz"), None)
    path = npz(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"cut\.npz: not a readable \.npz"):
        load_dataset(str(path), None)
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"one\.npz: one array, not an \.npz"):
        load_dataset(str(tmp_path / "one.npz"), None)


def test_a_dataset_built_by_hand_is_checked():
    with pytest.raises(DataError, match="training frames must be uint8 or uint16, not int64"):
        Dataset(
            name="mine",
            train_frames=np.zeros((2, 4), np.int64),
            train_labels=np.array([0, 1]),
            test_frames=np.zeros((2, 4), np.uint8),
            test_labels=np.array([0, 1]),
            labels=("a", "b"),
        )


@pytest.mark.data
def test_the_real_files(data_dir):
    for name in ("mnist", "fashion-mnist"):
        data = load_dataset(name, data_dir)
        assert data.train_frames.shape == (60000, 28, 28)
        assert data.test_frames.shape == (10000, 28, 28)
        assert len(set(data.train_labels.tolist())) == 10
