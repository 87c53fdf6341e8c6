"""A queue for entries that tokens stand for: whoever holds a token finds room, and never looks at `w_rdy`."""

from amaranth.lib import fifo

_LEAST = 3


def credit_fifo(*, width: int, depth: int) -> fifo.SyncFIFOBuffered:
    """A queue with room for `depth` entries in any cycle, if no more than that are ever in it.

    Amaranth's SyncFIFOBuffered keeps one entry in its output register and `depth` - 1 in its memory, and an entry
    reaches the register a cycle after the memory. With a depth of 2 the memory is full in that cycle, and a second
    entry that comes at once finds no room, though one alone is waiting. From 3 on there is room, so 2 is rounded up to
    3 (proven: docs/proofs.md).

    Latency: 2 cycles. Throughput: an entry a cycle. Reset: empties it.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    return fifo.SyncFIFOBuffered(width=width, depth=max(_LEAST, depth))


def memory_words(depth: int) -> int:
    """Entries of such a queue's memory: all but the one in its output register."""
    return max(_LEAST, depth) - 1
