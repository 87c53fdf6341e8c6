"""Memories of two banks: one is read while another network is loaded into the other."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.loading import LoadMemory
from bitwright_core.manifest import Manifest
from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.memory_contents import Contents
from bitwright_hw.memory_places import Place, ultra_rams
from bitwright_hw.rom import Blank, Rom


class LoadBus(wiring.Signature):
    """What the loader tells memories: a word, its address, which of them to write, and the bank that computes.

    A memory whose words have n bits takes the highest n bits of `word`, and writes them to the other bank. With
    `refill` high, `bank` changes in the next cycle: what was fetched ahead is to be fetched again.
    """

    def __init__(self, memories: Sequence[LoadMemory]):
        self.memories = tuple(memories)
        self.word_bits = max(memory.width for memory in memories)
        self.address_bits = max(1, *(bank_bits(memory.depth) for memory in memories))
        super().__init__(
            {
                "word": Out(self.word_bits),
                "address": Out(self.address_bits),
                "write": Out(len(self.memories)),
                "bank": Out(1),
                "refill": Out(1),
            }
        )


def share(m: Module, bus: wiring.PureInterface, parts: Sequence[wiring.PureInterface]) -> None:
    """Gives each of `parts` its memories of `bus`, in order."""
    at = 0
    for part in parts:
        count = len(part.write)
        m.d.comb += [
            part.word.eq(bus.word[len(bus.word) - len(part.word) :]),
            part.address.eq(bus.address[: len(part.address)]),
            part.write.eq(bus.write[at : at + count]),
            part.bank.eq(bus.bank),
            part.refill.eq(bus.refill),
        ]
        at += count


class BankedMemory(wiring.Component):
    """Word `addr` of the bank that computes, a cycle after `en`; the other bank is written by `load`.

    The first bank begins with `contents`, the other with zeros; resets change neither. UltraRAM, the `place` "ultra",
    begins without contents, and there is nothing to be read before both a load and a swap. The bank is the highest bit
    of an address of the storage, so that no adder chooses it.

    Latency: 1 cycle. Throughput: a word a cycle. Storage: a read port and a write port.
    """

    def __init__(self, *, memory: LoadMemory, contents: Contents, place: Place):
        if (memory.width, memory.depth) != (contents.width, contents.depth):
            raise ValueError(f"contents are {contents.depth} words of {contents.width} bits, not as {memory} says")
        self.memory = memory
        self.contents = contents
        self.place = place
        super().__init__(
            {
                "addr": In(range(max(2, memory.depth))),
                "en": In(1),
                "data": Out(memory.width),
                "load": In(LoadBus([memory])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.contents.bits
        attrs: dict[str, str] = {"ram_style": self.place}
        storage: Blank | Rom
        if self.place == "ultra":
            storage = Blank(self.contents.width, banked_depth(len(bits)), attrs=attrs)
        else:
            gap = banked_depth(len(bits)) - len(bits)
            storage = Rom(Contents(bits=np.pad(bits, ((0, gap), (0, 0)))), attrs=attrs)
        m.submodules.storage = storage
        read = storage.read_port()
        write = storage.write_port()
        load = self.load
        m.d.comb += [
            read.addr.eq(_banked(self.addr, load.bank, len(bits))),
            read.en.eq(self.en),
            self.data.eq(read.data),
            write.addr.eq(_banked(load.address, ~load.bank, len(bits))),
            write.data.eq(load.word),
            write.en.eq(load.write),
        ]
        return m


def bank_bits(depth: int) -> int:
    """Address bits of a bank of `depth` words."""
    return (depth - 1).bit_length()


def _banked(address: Signal, bank: Value, depth: int) -> Value:
    return Cat(address[: bank_bits(depth)], bank[0])


def banked_depth(depth: int) -> int:
    """Words of a storage with two banks of `depth` words."""
    return (1 << bank_bits(depth)) + depth


def ultra_rams_of(manifest: Manifest) -> int:
    """UltraRAMs of a design."""
    loads = manifest.loads
    layers = {layer.name for layer in manifest.layers if layer.memory == "ultra"}
    memories = () if loads is None else loads.memories
    return sum(
        ultra_rams(memory.width, banked_depth(memory.depth))
        for memory in memories
        if memory.layer in layers and memory.part == "weights"
    )


def banked_counts(width: int, depth: int, place: Place, costs: Costs) -> Counts:
    """What such a memory takes."""
    if place == "block":
        return Counts(block_rams=costs.block_rams(width, banked_depth(depth)))
    if place == "ultra":
        return Counts(ultra_rams=ultra_rams(width, banked_depth(depth)))
    return costs.buffer(width, banked_depth(depth))
