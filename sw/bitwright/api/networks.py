"""Networks: loaded, trained, imported and exported."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bitwright.api.common import PathLike, needs_extra
from bitwright.api.frames import default_data_dir
from bitwright.notebook import shows_progress
from bitwright_core.board_build import DESIGN_FOLDER
from bitwright_core.design import MANIFEST, Design
from bitwright_core.errors import DataError, NetworkError
from bitwright_core.network import Network
from bitwright_core.network import load as _load
from bitwright_core.progress import Progress

NETWORK_FILE = "network.safetensors"  # as train and generate write it

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bitwright_bnn_pynq import ParameterSet
    from bitwright_onnx import Imported
    from bitwright_train import FeatureReport, GeneratorReport, TrainConfig, TrainReport
    from bitwright_train.told import EpochTold


def load(path: PathLike) -> Network:
    """The Network in a file, or in a folder: of a design, of a training run, or that bitwright build wrote.

        bw.load("run/network.safetensors")
        bw.load("run")

    Raises NetworkError for one that is missing or damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        return _load(folder)
    design = design_folder(folder)
    if design is not None:
        return Design.load(design).network
    if (folder / NETWORK_FILE).is_file():
        return _load(folder / NETWORK_FILE)
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return _load(files[0])
    held = f"holds {', '.join(file.name for file in files[:5])}; name one of them" if files else "holds no network"
    raise NetworkError(f"{folder}: a folder that is no design (no {MANIFEST}) and has no {NETWORK_FILE}; it {held}")


def design_folder(folder: Path) -> Path | None:
    """The design that `folder` is, or that a build put into it; None if neither."""
    places = (folder, folder / DESIGN_FOLDER)
    return next((place for place in places if os.path.lexists(place / MANIFEST)), None)


def _configuration(config: "str | os.PathLike[str] | TrainConfig", **replaced: Any) -> "TrainConfig":
    """A configuration as `train_network` takes it, with what is `replaced` of it. Raises TrainingError."""
    import bitwright_train as training

    chosen = config if isinstance(config, training.TrainConfig) else training.load_config(str(config))
    return training.with_overrides(chosen, **replaced)


@shows_progress
def train_network(
    config: "str | os.PathLike[str] | TrainConfig",
    out: PathLike,
    *,
    data_dir: PathLike | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    start: PathLike | None = None,
    teacher: PathLike | None = None,
    resume: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: "Callable[[EpochTold], None] | None" = None,
) -> "TrainReport":
    """Trains a network (with torch) and writes network.safetensors, metrics.json and a plot to `out`.

    `config` is a TOML file, the name of a configuration that ships (docs/training.md), or a
    TrainConfig; `dataset`, `epochs`, `seed`, `start` and `teacher` (folders of other runs) replace its own.
    A run that was cut off goes on from its checkpoint unless `resume` is False, and a finished one for more `epochs`.
    With `seconds` the training ends, its schedule with it, within about so many. `told` hears of every epoch.

        report = bw.train_network("digits", "run")
        report.test_accuracy, report.network

    Raises TrainingError or DataError; ToolError if torch is not installed.
    """
    with needs_extra("train", "training"):
        import bitwright_train as training

        chosen = _configuration(
            config,
            dataset=dataset,
            epochs=epochs,
            seed=seed,
            start=None if start is None else str(start),
            teacher=None if teacher is None else str(teacher),
        )
        folder = default_data_dir() if data_dir is None else Path(data_dir)
        return training.train(
            chosen, Path(out), data_dir=folder, resume=resume, seconds=seconds, progress=progress, told=told
        )


def train_features(
    config: "str | os.PathLike[str] | TrainConfig",
    network: Network,
    out: PathLike,
    *,
    data_dir: PathLike | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    resume: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: "Callable[[EpochTold], None] | None" = None,
) -> "FeatureReport":
    """Trains a new last layer for `network` on the features that its other layers, which stay, give of a data set, and
    writes the whole network to `out`; an accelerator whose last layer is loadable takes it while it runs.

    Of `config` what is said of frames and of layers does not count. Arguments and errors are those of `train_network`.

        report = bw.train_features("sfc", network, "other", dataset="other-classes.npz")
        report.test_accuracy, report.network
    """
    with needs_extra("train", "training"):
        import bitwright_train as training

        chosen = _configuration(config, dataset=dataset, epochs=epochs, seed=seed)
        folder = default_data_dir() if data_dir is None else Path(data_dir)
        return training.train_features(
            chosen, network, Path(out), data_dir=folder, resume=resume, seconds=seconds, progress=progress, told=told
        )


def is_generator(config: "str | os.PathLike[str] | TrainConfig") -> bool:
    """Whether a configuration, as `train_network` takes them, is one for `train_generator`. Raises TrainingError."""
    with needs_extra("train", "training"):
        return _configuration(config).generator is not None


def train_generator(
    config: "str | os.PathLike[str] | TrainConfig",
    out: PathLike,
    *,
    data_dir: PathLike | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    resume: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: "Callable[[EpochTold], None] | None" = None,
) -> "GeneratorReport":
    """Trains a network that draws images, class and noise bits in, against a float network, judged by another.

    `config` has a table `generator`. Writes to `out` what `train_network` does, codes.npz, the codes that were judged,
    and samples.png, what the golden model draws of them. Arguments and errors are those of `train_network`.

        report = bw.train_generator("mnist-generator", "run")
        report.samples.recognised, report.network

    """
    with needs_extra("train", "training"):
        import bitwright_train as training

        chosen = _configuration(config, dataset=dataset, epochs=epochs, seed=seed)
        folder = default_data_dir() if data_dir is None else Path(data_dir)
        return training.train_generator(
            chosen, Path(out), data_dir=folder, resume=resume, seconds=seconds, progress=progress, told=told
        )


def export(
    model: Any,  # a torch.nn.Module
    frames: "NDArray[Any]",
    *,
    name: str = "network",
    labels: Sequence[str] = (),
    score_bits: int = 24,
) -> Network:
    """The Network of a torch module of one's own, a graph of the modules of bitwright.train, proven on `frames`.

    `frames` (n, ...) are as they are stored, test frames say; every integer of every layer is compared, and the class
    with what the module itself says. Docs: own-training-loop.md.

        network = bw.export(model, test_frames, name="mine")

    Raises ExportError, which names the module, for what a Network cannot be; ToolError if torch is not installed.
    """
    with needs_extra("train", "the export of a torch module"):
        from bitwright_train.traced import export_module

        return export_module(model, frames, name=name, labels=tuple(labels), score_bits=score_bits)


def predict(network: Network, frames: "NDArray[Any]") -> "NDArray[Any]":
    """What the golden model says of frames (n, ...): classes (n,), or for a network of labels or numbers (n, outputs).

        bw.predict(network, frames[:10])

    Raises DataError for frames that are not the network's.
    """
    from bitwright_core import golden

    return golden.classify(network, frames) if network.is_classifier else golden.outputs(network, frames)


def confusion(network: Network, frames: "NDArray[Any]", classes: "NDArray[Any]") -> "NDArray[Any]":
    """A confusion matrix by the golden model: how many of `frames` (n, ...) there are by (class, class it says).

        table = bw.confusion(network, frames, classes)
        table.diagonal().sum() / table.sum()  # the accuracy

    Raises DataError for a network that tells no class, or for classes (n,) that do not fit.
    """
    import numpy as np

    from bitwright_core import golden

    told, true = golden.classify(network, frames), np.asarray(classes)
    if true.shape != told.shape:
        raise DataError(f"a confusion matrix needs one class for each of {len(told)} frames, not {true.shape}")
    count = network.outputs
    if true.size and not 0 <= true.min() <= true.max() < count:
        raise DataError(f"classes must lie in 0..{count - 1}, not {int(true.min())}..{int(true.max())}")
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (true, told), 1)
    return table


@shows_progress
def import_bnn_pynq(
    folder: PathLike,
    *,
    topology: PathLike,
    name: str | None = None,
    classes: int | None = None,
    progress: Progress | None = None,
) -> "ParameterSet":
    """The network of a folder of BNN-PYNQ's parameters, and its original folding as a plan.

    `topology` is lfc, cnv, or the path of a TOML file (docs/import.md); `name` replaces the network's.
    `classes` is how many there are, if neither classes.txt nor the topology tells.

        found = bw.import_bnn_pynq("cifar10-cnvW1A1", topology="cnv")
        found.network, found.plan, found.notes

    Raises ParameterSetError or NetworkError for parameters or a topology that do not fit.
    """
    from bitwright_bnn_pynq import load_topology, read_parameters

    return read_parameters(Path(folder), load_topology(str(topology)), name=name, classes=classes, progress=progress)


def import_dwn(
    path: PathLike,
    *,
    classes: int,
    thresholds: Sequence[Sequence[int]] | Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
    input_bits: int = 8,
    name: str | None = None,
) -> Network:
    """The network of a torch-dwn model: its state dict as .safetensors, or an .npz of indices and tables.

    `thresholds` are those of the thermometer code, unless the file has them (docs/import.md).
    Raises NetworkError for what does not fit.
    """
    from bitwright_dwn import import_dwn as read

    return read(Path(path), classes=classes, thresholds=thresholds, shape=shape, input_bits=input_bits, name=name)


@shows_progress
def import_onnx(
    path: PathLike,
    *,
    name: str | None = None,
    input_range: tuple[float, float] | None = None,
    input_bits: int | None = None,
    mean: float | Sequence[float] = (),
    std: float | Sequence[float] = (),
    layout: Literal["auto", "nchw", "nhwc"] = "auto",
    encoding: Literal["auto", "thermometer", "integers"] = "auto",
    outputs: Literal["auto", "class", "labels", "scores"] = "auto",
    score_bits: int = 24,
    progress: Progress | None = None,
) -> "Imported":
    """The network of an ONNX or QONNX file with binary weights and activations, exact (docs/onnx.md).

    `input_range` is what the graph takes for the least and the largest raw value, (0, 255) or (0, 1), None where the
    graph tells; `mean` and `std` are a normalisation outside the graph. `outputs` says what the graph's
    outputs mean where its last operators do not: one class, labels that are bits, or scores that are numbers. Class
    scores have about `score_bits` bits, and two that nearly tie may change sides (a note says how many); 0 keeps the
    order of all or refuses. Raises BitwrightError with every node that cannot be imported; ToolError if the onnx
    package is not installed.

        found = bw.import_onnx("model.onnx", input_range=(0, 1))
        found.network, found.notes
    """
    with needs_extra("onnx", "reading ONNX files"):
        from bitwright_onnx import Options
        from bitwright_onnx import import_onnx as read

        options = Options(
            name=name,
            input_range=input_range,
            input_bits=input_bits,
            mean=(float(mean),) if isinstance(mean, int | float) else tuple(mean),
            std=(float(std),) if isinstance(std, int | float) else tuple(std),
            layout=layout,
            encoding=encoding,
            outputs=outputs,
            score_bits=score_bits,
        )
        return read(path, options, progress=progress)


def export_onnx(network: Network, path: PathLike, *, dialect: Literal["standard", "qonnx"] = "standard") -> None:
    """Writes `network` as an ONNX file: raw frames in, the golden model's scores or bits out.

    The standard dialect runs in any runtime; qonnx has BipolarQuant nodes. `import_onnx` gives the same network back.
    Raises ToolError if the onnx package is not installed.
    """
    with needs_extra("onnx", "writing ONNX files"):
        from bitwright_onnx import export_onnx as write

        write(network, path, dialect=dialect)
