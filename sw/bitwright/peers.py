"""Others' published figures of small classifiers in LUTs, each with its source."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A figure of somebody else: percent of the test set told right, LUTs, and what is counted in them."""

    what: str
    dataset: str
    accuracy: float
    luts: int
    source: str
    encoder: bool  # whether the encoder is counted, too


_STUDY = "dwn2rtl / dwn-fpga-study, xc7a35t, after routing"
_DWN = "A. T. L. Bacellar et al., ICML 2024, arXiv:2410.11112"
_BTHOWEN = "github.com/ZSusskind/BTHOWeN at 94e33e4, Vivado 2019.2 reports, xc7z020; the host encodes"


def _bthowen(dataset: str, accuracy: float, luts: int) -> Peer:
    return Peer(what="BTHOWeN", dataset=dataset, accuracy=accuracy, luts=luts, source=_BTHOWEN, encoder=False)


PEERS: tuple[Peer, ...] = (
    *(
        Peer(what="dwn2rtl", dataset="mnist", accuracy=accuracy, luts=luts, source=_STUDY, encoder=True)
        for accuracy, luts in ((97.70, 2_246), (97.76, 3_464), (96.77, 1_597), (92.98, 845))
    ),
    Peer(what="DWN", dataset="mnist", accuracy=97.9, luts=1_413, source=_DWN, encoder=False),
    Peer(what="DWN", dataset="mnist", accuracy=98.3, luts=4_082, source=_DWN, encoder=False),
    Peer(
        what="NeuraLUT-Assemble",
        dataset="mnist",
        accuracy=97.9,
        luts=5_070,
        source="as its authors publish it",
        encoder=False,
    ),
    Peer(
        what="TreeLUT I", dataset="mnist", accuracy=96.6, luts=4_478, source="as its authors publish it", encoder=True
    ),
    _bthowen("mnist", 93.4, 15_756),
    _bthowen("letter", 90.0, 21_603),
    _bthowen("satimage", 88.0, 3_771),
    _bthowen("vehicle", 76.2, 1_781),
    _bthowen("vowel", 90.0, 1_559),
    _bthowen("shuttle", 99.9, 593),
    _bthowen("wine", 98.3, 585),
    _bthowen("iris", 98.0, 57),
)


def peers_of(dataset: str) -> tuple[Peer, ...]:
    """The figures for a data set, by its name, or the name of its file."""
    name = dataset.rpartition("/")[2].removesuffix(".npz")
    return tuple(peer for peer in PEERS if peer.dataset == name)
