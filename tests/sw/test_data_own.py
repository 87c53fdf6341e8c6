"""A user's own data: tables, folders of images or recordings; and some classes of any data set."""

import wave

import numpy as np
import pytest
from PIL import Image

from bitwright_core.errors import DataError
from bitwright_data import load_dataset, load_held_out
from bitwright_data.speech import log_mel, read_wav


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_whole_numbers(tmp_path):
    """Classes in the last column, without names; a fifth of each class is held out."""
    lines = [f"{k},{300 - k},{'no' if k % 2 else 'yes'}" for k in range(10)]
    table = load_dataset(written(tmp_path / "own.csv", *lines))
    assert (table.name, table.labels, table.classes) == ("own", ("no", "yes"), 2)
    assert table.test_frames.tolist() == [[0, 300], [1, 299]] and table.test_labels.tolist() == [1, 0]
    assert table.train_frames.dtype == np.uint16 and len(table.train_frames) == 8
    assert table.train_frames[0].tolist() == [2, 298]
    held = load_held_out("own.csv", tmp_path)
    assert held.frames.tolist() == table.test_frames.tolist() and held.classes == 2


def test_a_table_of_any_numbers(tmp_path):
    """A column named label, one named split; each column's training values become 0 to 255."""
    path = written(
        tmp_path / "t.csv",
        "Label,a,split,b",
        "10,0.5,train,-3",
        "9, 1.5 ,train,1",
        '"10",2.5,TEST,-5',
        "",
        "9,1.0,test,-1",
    )
    table = load_dataset(path)
    assert table.labels == ("9", "10")  # numbers by their value
    assert table.train_frames.tolist() == [[0, 0], [255, 255]] and table.train_labels.tolist() == [1, 0]
    assert table.test_frames.tolist() == [[255, 0], [128, 128]]  # beyond is clipped


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no rows"),
        (["a,label"], "a line of names, and no rows below it"),
        (["1,2,0", "1,0"], "line 2 has 2 values, but the first line has 3"),
        (["a,b,label", "1,x,0"], "line 2 has 'x' for b, where a number is expected"),
        (["a,b,label", "1,,0"], "line 2 has 'nothing' for b"),
        (["1,nan,0"], "'nan' for column 2"),
        (["1,2,0.5", "1,2,1.5"], "numbers that are not whole, such as 0.5; name the column of the class label"),
        (["a,label", "1,"], "a row has no class"),
        (["label,split", "1,train"], "no column of values beside the class"),
        (["a,label,split", "1,0,trial"], "line 2 has 'trial' for split, which must be train or test"),
        (["a,label,split", "1,0,train", "2,1,train"], "no test row"),
        (["a,label", "1,0", "2,1"], "no train row"),
        (["1,5", "2,5", "3,5", "4,5", "5,5", "6,5"], "at least two classes"),
        (['1,"2', "3,4"], "not a readable .csv"),
    ],
)
def test_tables_that_are_refused(tmp_path, lines, message):
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="own.*" + message):
        load_dataset(path)


def test_a_table_that_is_not_there(tmp_path):
    written(tmp_path / "flowers.csv", "1,2")
    with pytest.raises(DataError, match=r"no such data file \(did you mean .*flowers.csv\?\)"):
        load_dataset(tmp_path / "flower.csv")


def image(path, value, mode="L", size=(5, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def test_a_folder_of_images(tmp_path):
    for k in range(6):
        image(tmp_path / "photos" / "cat" / f"{k}.png", 10 + k)
        image(tmp_path / "photos" / "dog" / f"{k}.bmp", 100 + k)
    (tmp_path / "photos" / "cat" / ".hidden").write_text("x")
    (tmp_path / "photos" / "notes.txt").write_text("x")
    photos = load_dataset("photos", tmp_path)
    assert (photos.name, photos.labels, photos.shape) == ("photos", ("cat", "dog"), (4, 5))
    assert photos.test_frames[:, 0, 0].tolist() == [10, 15, 100, 105]
    assert photos.train_frames[:, 3, 4].tolist() == [11, 12, 13, 14, 101, 102, 103, 104]
    assert photos.train_labels.tolist() == [0] * 4 + [1] * 4
    held = load_held_out(tmp_path / "photos")
    assert held.frames.tolist() == photos.test_frames.tolist() and held.labels.tolist() == [0, 0, 1, 1]


def test_a_folder_with_a_split_and_colours(tmp_path):
    image(tmp_path / "train" / "a" / "1.png", 7)
    image(tmp_path / "train" / "b" / "1.png", (1, 2, 3), "RGB")
    image(tmp_path / "test" / "b" / "1.png", (4, 5, 6, 128), "RGBA")
    colours = load_dataset(tmp_path)
    assert colours.shape == (4, 5, 3)
    assert colours.train_frames[:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]
    assert colours.test_frames[0, 2, 2].tolist() == [4, 5, 6] and colours.test_labels.tolist() == [1]


def test_a_folder_of_recordings(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        for k in range(2):
            with wave.open(str(tmp_path / name / f"{k}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
                file.writeframes(rng.integers(-9000, 9000, 2000).astype("<i2").tobytes())
    words = load_dataset(tmp_path)
    assert words.labels == ("no", "yes") and words.shape == (32, 32)
    assert np.array_equal(words.test_frames[1], log_mel(read_wav(tmp_path / "yes" / "0.wav")))


def test_folders_that_are_refused(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: no files in folders of classes"):
        load_dataset(tmp_path / "none")
    image(tmp_path / "sizes" / "a" / "1.png", 1)
    image(tmp_path / "sizes" / "a" / "2.png", 1, size=(6, 4))
    with pytest.raises(DataError, match=r"1.png: 5 x 4 pixels, but .*2.png has 6 x 4; scale them first"):
        load_dataset(tmp_path / "sizes")
    image(tmp_path / "deep" / "a" / "1.png", 300, "I;16")
    with pytest.raises(DataError, match=r"1.png: values of more than 8 bits"):
        load_held_out(tmp_path / "deep")
    cut = image(tmp_path / "cut" / "a" / "1.png", 1)
    cut.write_bytes(cut.read_bytes()[:40])
    with pytest.raises(DataError, match=r"1.png: not a readable image"):
        load_held_out(tmp_path / "cut")
    (tmp_path / "mixed" / "a").mkdir(parents=True)
    written(tmp_path / "mixed" / "a" / "1.txt", "x")
    with pytest.raises(DataError, match=r"1.txt: neither an image nor a WAV file"):
        load_dataset(tmp_path / "mixed")
    image(tmp_path / "one" / "train" / "a" / "1.png", 1)
    image(tmp_path / "one" / "test" / "b" / "1.png", 1)
    with pytest.raises(DataError, match="class b has test files and none to train with"):
        load_dataset(tmp_path / "one")


def test_some_classes():
    whole, some = load_dataset("digits"), load_dataset("digits:7-9,0")
    assert some.name == "digits:7-9,0" and some.labels == ("7", "8", "9", "0")
    for label, name in enumerate(some.labels):
        mine, theirs = some.train_labels == label, whole.train_labels == int(name)
        assert np.array_equal(some.train_frames[mine], whole.train_frames[theirs])
    held = load_held_out("digits:7-9,0")
    assert np.array_equal(held.frames, some.test_frames) and np.array_equal(held.labels, some.test_labels)
    assert held.classes == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits:8-10", "there is no class 10; the set has classes 0 to 9"),
        ("digits:3", "at least two classes"),
        ("digits:5-3", "5-3 is no range of classes; give the lower class first"),
        ("digits:1,2,1", "class 1 is given twice"),
        ("digits:0-99999999999", "is no range of classes"),
        ("digit:0-4", r"no data set 'digit' \(did you mean digits\?\)"),
    ],
)
def test_classes_that_are_refused(name, message):
    with pytest.raises(DataError, match=message):
        load_dataset(name)


def test_classes_need_labels(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match="no labels to choose classes by"):
        load_held_out(f"{tmp_path}/f.npy:0-1")
    bits = np.array([[0, 1], [1, 0]])
    frames = np.zeros((2, 4), np.uint8)
    np.savez(tmp_path / "m.npz", x_train=frames, y_train=bits, x_test=frames, y_test=bits)
    with pytest.raises(DataError, match="classes cannot be chosen among them"):
        load_dataset(f"{tmp_path}/m.npz:0-1")
