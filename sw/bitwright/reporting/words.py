"""The words of a report, for who reads one for the first time."""

from collections.abc import Iterable
from dataclasses import dataclass

from bitwright.reporting.svg import MINUS, TIMES


@dataclass(frozen=True, kw_only=True)
class GlossaryEntry:
    """A term and what it means."""

    term: str
    means: str


# what a block of the drawing does, by its title there (see `KINDS` in bitwright.reporting.blocks)
BLOCKS = {
    "frame guard": (
        "Cuts the input stream into whole frames. A frame that came too short or too long is marked, and dropped "
        "behind it, so that it cannot disturb the next one."
    ),
    "encoder": (
        "Turns each input value into what the first layer takes: bits, one for each threshold that the value "
        "reaches, or small integers."
    ),
    "padding mask": "Sets the unused lanes of a frame's last beat to 0.",
    "pixel source": "Takes beats of an image and gives its pixels one by one.",
    "window": (
        "Keeps some lines of the image and gives, for each pixel of the result, the pixels around it that a "
        "convolution takes."
    ),
    "queue": (
        "Keeps whole frames in front of an engine and sends each as often as the engine needs it, while the next "
        "frame comes in."
    ),
    "frame tokens": (
        "Joins what counts pixels to what counts frames. A token says that there is room for a frame, or a pixel: a "
        "stage takes one before it sends, so that no word has to wait on its way."
    ),
    "repacker": "Puts several narrow words into one wide word, or the other way round.",
    "pool": "Joins neighbouring pixels to one: the largest, for example.",
    "engine": "Computes a layer: compares input bits with weights, counts, and compares the counts with thresholds.",
    "hardwired engine": (
        "Computes a layer whose weights are part of the logic, not of a memory: all its neurons at once."
    ),
    "lookup tables": "Computes a layer whose neurons are small tables: a few bits choose one bit.",
    "group sums": "Counts for each class how many bits of its group are 1: the class's score.",
    "lane arithmetic": "Adds or scales the values of a word, each by itself.",
    "fork": "Gives the same words to several branches.",
    "join": "Keeps what comes from several branches until there is some from each.",
    "whole frames": "Collects the words of a frame into one.",
    "class of each pixel": "Finds the largest of each pixel's numbers.",
    "scores, class": "Makes scores of the last layer's counts, and finds the largest: the class.",
    "result bits": "Keeps the last layer's results and sends them as beats of the output.",
    "registers, control": (
        "The registers by which a host asks the accelerator what it is and how it fares, and resets it (AXI4-Lite)."
    ),
    "control": "Resets the other parts.",
}

_TERMS = (
    (
        "frame",
        "One input of the network, an image for example.",
    ),
    (
        f"PE {TIMES} SIMD",
        "How much of a layer an engine does in a cycle: PE neurons, and of each SIMD of its inputs. An engine of 3 "
        f"{TIMES} 8 has 3 rows of 8 lanes; it takes inputs / 8 cycles for 3 neurons, rounded up.",
    ),
    (
        "XNOR, popcount",
        f"A bit 1 stands for +1, a bit 0 for {MINUS}1. Two bits multiplied are +1 where they are equal: that is "
        "XNOR. The popcount is how many are equal, which takes the place of a sum of products.",
    ),
    (
        "threshold",
        "A neuron's bit is 1 where its popcount reaches its threshold, a constant that training has left.",
    ),
    (
        "interval, latency",
        "Cycles from one frame's result to the next one's, and from a frame's first beat to its result.",
    ),
    (
        "golden model",
        "The same network in NumPy integers. The Verilog is right if every integer of it is the golden model's.",
    ),
    (
        "LUT, flip-flop",
        "The FPGA's small tables, of which logic is made, and its bits of storage.",
    ),
)
_MEMORY = "A block of memory of the FPGA. Weights lie there."
_STREAM = (
    "beat, tvalid, tready",
    "A beat is what a stream (AXI4-Stream) carries in a cycle. The giver raises tvalid, the taker tready; the beat "
    "passes in a cycle in which both are high. tlast marks a frame's last beat.",
)


def words_of(titles: Iterable[str], block_ram: str) -> tuple[GlossaryEntry, ...]:
    """The words for a drawing of blocks with these `titles`: what each block does, then what the page says of them all.

    `block_ram` is the name of the board's block memories.
    """
    blocks = [GlossaryEntry(term=title, means=BLOCKS[title]) for title in dict.fromkeys(titles) if title in BLOCKS]
    terms = [*_TERMS, (block_ram, _MEMORY), _STREAM]
    return (*blocks, *(GlossaryEntry(term=term, means=means) for term, means in terms))
