"""CIFAR-10's binary files: what is read, and what is refused."""

import numpy as np
import pytest

from bitwright_core.errors import DataError
from bitwright_data import load_dataset


def records(count, seed):
    """Random records, and the frames and labels that they stand for, put together pixel by pixel."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    raw = b"".join(
        bytes([label]) + b"".join(frame[:, :, channel].tobytes() for channel in range(3))
        for frame, label in zip(frames, labels.tolist(), strict=True)
    )
    return raw, frames, labels


@pytest.fixture
def folder(tmp_path):
    """A folder with a tiny CIFAR-10 in it: 5 times 4 training frames, 3 test frames."""
    inner = tmp_path / "cifar10"
    inner.mkdir()
    for number in range(1, 6):
        (inner / f"data_batch_{number}.bin").write_bytes(records(4, number)[0])
    (inner / "test_batch.bin").write_bytes(records(3, 9)[0])
    return tmp_path


@pytest.mark.parametrize("place", ["cifar10", "cifar-10-batches-bin", "."])
def test_frames_are_hwc_and_batches_in_order(folder, place):
    (folder / "cifar10").rename(folder / "there")
    where = folder / "there" if place == "." else folder
    if place != ".":
        (folder / "there").rename(folder / place)
    data = load_dataset("cifar10", where)
    assert data.shape == (32, 32, 3) and data.labels[0] == "airplane" and data.classes == 10
    wanted = [records(4, number) for number in range(1, 6)]
    assert np.array_equal(data.train_frames, np.concatenate([frames for _, frames, _ in wanted]))
    assert data.train_labels.tolist() == np.concatenate([labels for _, _, labels in wanted]).tolist()
    _, frames, labels = records(3, 9)
    assert np.array_equal(data.test_frames, frames) and data.test_labels.tolist() == labels.tolist()


def rewrite(folder, name, change):
    file = folder / "cifar10" / name
    file.write_bytes(change(file.read_bytes()))


MISTAKES = {
    "cut": (lambda f: rewrite(f, "data_batch_3.bin", lambda raw: raw[:-1]), r"data_batch_3\.bin: 12291 bytes are no"),
    "empty": (lambda f: rewrite(f, "test_batch.bin", lambda raw: b""), r"test_batch\.bin: 0 bytes are no whole"),
    "label": (
        lambda f: rewrite(f, "test_batch.bin", lambda raw: b"\x0a" + raw[1:]),
        r"test_batch\.bin: label 10, but cifar10 has 0\.\.9",
    ),
    "missing": (
        lambda f: (f / "cifar10" / "data_batch_5.bin").unlink(),
        r"cifar10: data_batch_5\.bin is missing; cifar10 needs data_batch_1\.bin",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(folder, mistake):
    change, message = MISTAKES[mistake]
    change(folder)
    with pytest.raises(DataError, match=message):
        load_dataset("cifar10", folder)


def test_folders_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="cifar10 is read from files: give --data-dir"):
        load_dataset("cifar10")
    with pytest.raises(DataError, match="no such folder"):
        load_dataset("cifar10", tmp_path / "none")


@pytest.mark.data
def test_the_real_set(data_dir):
    if not (data_dir / "cifar10").is_dir():
        pytest.skip("BITWRIGHT_DATA holds no cifar10/")
    data = load_dataset("cifar10", data_dir)
    assert len(data.train_frames) == 50_000
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
