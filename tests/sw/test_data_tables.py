"""Tables from ARFF files: what is read, how numbers become bytes, and what is refused."""

import numpy as np
import pytest

from bitwright_core.errors import DataError
from bitwright_data import load_dataset, load_held_out
from bitwright_data.tables import bytes_of, read_arff


def arff(path, values, labels, header="@relation 'yeast: -C 14'\n% a comment\n"):
    names = [f"@attribute Att{k} numeric" for k in range(values.shape[1])]
    names += [f"@ATTRIBUTE 'Class {k}' {{0,1}}" for k in range(labels.shape[1])]
    rows = [",".join([*map(repr, map(float, row)), *map(str, told)]) for row, told in zip(values, labels, strict=True)]
    path.write_text(header + "\n".join([*names, "", "@data", *rows]) + "\n")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "yeast").mkdir()
    for part, count in (("train", 20), ("test", 9)):
        arff(tmp_path / "yeast" / f"yeast-{part}.arff", rng.normal(size=(count, 103)), rng.integers(0, 2, (count, 3)))
    return tmp_path


def test_columns_become_bytes_by_the_training_rows():
    train = np.array([[0.0, 5.0], [1.0, 5.0], [0.5, 5.0]])
    test = np.array([[2.0, 6.0], [-1.0, 4.0], [0.25, 5.0]])
    frames, others = bytes_of(train, test)
    assert frames.tolist() == [[0, 0], [255, 0], [128, 0]] and others.tolist() == [[255, 255], [0, 0], [64, 0]]


def test_the_two_files_of_yeast(folder):
    data = load_dataset("yeast", folder)
    assert data.is_multi_label and data.labels == ("Class 0", "Class 1", "Class 2")
    assert data.train_frames.shape == (20, 103) and data.test_labels.shape == (9, 3)
    names, rows = read_arff(folder / "yeast" / "yeast-test.arff")
    assert names[:2] == ("Att0", "Att1") and rows.shape == (9, 106)
    np.testing.assert_array_equal(data.test_labels, rows[:, 103:])
    assert data.train_frames.min(axis=0).max() == 0 and data.train_frames.max(axis=0).min() == 255
    held = load_held_out("yeast", folder)
    np.testing.assert_array_equal(held.frames, data.test_frames)
    assert held.classes == 3


def test_files_that_do_not_do(folder, tmp_path):
    with pytest.raises(DataError, match="give --data-dir"):
        load_dataset("yeast")
    path = folder / "yeast" / "yeast-test.arff"
    whole = path.read_text()
    path.write_text(whole + "1,2\n")
    with pytest.raises(DataError, match="line 120 has 2 values, but there are 106 attributes"):
        load_dataset("yeast", folder)
    path.write_text(whole + "a,b\n")
    with pytest.raises(DataError, match="line 120 is no row of numbers"):
        load_dataset("yeast", folder)
    arff(path, np.zeros((2, 103)), np.array([[0, 1, 2], [0, 0, 0]]))
    with pytest.raises(DataError, match="labels of yeast must be 0 or 1"):
        load_dataset("yeast", folder)
    arff(path, np.zeros((2, 103)), np.zeros((2, 4), int))
    with pytest.raises(DataError, match="must have the same columns"):
        load_dataset("yeast", folder)
    path.write_text("@data\n")
    with pytest.raises(DataError, match="no rows behind @data"):
        read_arff(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        load_dataset("yeast", folder)
