# amaranth: UnusedElaboratable=no
"""Specs of weights that are loaded: memories of two banks, and the loader that writes them and swaps."""

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from amaranth.hdl import DomainRenamer, Mux, Signal, Value

from bitwright_core.loading import LoadMemory
from bitwright_hw import weight_loader
from bitwright_hw.banked_memory import BankedMemory
from bitwright_hw.memory_contents import Contents
from bitwright_hw.weight_loader import POLYNOMIAL, WeightLoader
from tests.proofs.spec import START, Elaborated, Spec


def banked_memory(spec: Spec, *, width: int, depth: int) -> None:
    """A BankedMemory: one word of one bank, whichever the solver picks, is read as it was written last, which can only
    have been while the other bank computed; and a word that was asked for stays."""
    m = spec.m
    contents = Contents(bits=np.zeros((depth, width), np.uint8))
    memory = LoadMemory(layer="layer", part="weights", width=width, depth=depth)
    m.submodules.banked = unit = BankedMemory(memory=memory, contents=contents, place="block")
    address, enable, bank = spec.free("address", len(unit.addr)), spec.free("enable"), spec.free("bank")
    write, to, word = spec.free("write"), spec.free("to", len(unit.load.address)), spec.free("word", width)
    spec.assume(address < depth)
    spec.assume(to < depth)
    m.d.comb += [
        unit.addr.eq(address),
        unit.en.eq(enable),
        unit.load.bank.eq(bank),
        unit.load.write.eq(write),
        unit.load.address.eq(to),
        unit.load.word.eq(word),
    ]
    picked, of_bank = Signal(len(unit.addr), name="picked"), Signal(name="of_bank")  # any that stay
    m.d.ever += [picked.eq(picked), of_bank.eq(of_bank)]
    held, known = Signal(width, name="held"), Signal(name="known", attrs={START: 1})
    written = write & (bank != of_bank) & (to == picked)
    asked, after = Signal(name="asked", attrs={START: 1}), Signal(width, name="after")
    waits, before = Signal(name="waits", attrs={START: 1}), Signal(width, name="before")
    reads = enable & (bank == of_bank) & (address == picked)
    m.d.ever += [asked.eq(reads & known), waits.eq(~enable), before.eq(unit.data)]
    with m.If(reads):
        m.d.ever += after.eq(held)
    with m.If(written):
        m.d.ever += [held.eq(word), known.eq(1)]
    spec.claim("a bank has what was written last", ~asked | (unit.data == after))
    spec.claim("a word stays until the next is asked for", ~waits | (unit.data == before))
    # what is read of the bank that computes is the same for as long as it computes
    first, seen, again = Signal(width, name="first"), Signal(name="seen", attrs={START: 1}), Signal(name="again")
    reading = Signal(name="reading", attrs={START: 1})
    m.d.ever += [reading.eq(reads), again.eq(seen)]
    with m.If(reading & ~seen & (bank == of_bank)):
        m.d.ever += [first.eq(unit.data), seen.eq(1)]
    with m.If(bank != of_bank):
        m.d.ever += seen.eq(0)
    spec.claim("the bank that computes never changes", ~(reading & seen & again) | (unit.data == first))
    spec.cover("a word that was loaded is read", asked)


def loader(spec: Spec, *, memories: tuple[tuple[int, int], ...], word: int) -> None:
    """A WeightLoader behind registers that give any command at any time, one after the other, and a core that is idle
    at any time. `memories` are (width, depth). A word of a load has `word` bits in place of 32."""
    m = spec.m
    every = [
        LoadMemory(layer=f"layer{k}", part="weights", width=width, depth=depth)
        for k, (width, depth) in enumerate(memories)
    ]
    total = sum(memory.bits for memory in every)
    needed = -(-total // word)
    unit = WeightLoader(memories=every, initial_crc=0)
    with patch.object(weight_loader, "WORD", word):
        m.submodules.loader = DomainRenamer({"axi": "sync"})(Elaborated(unit))
    commands, bus = unit.commands, unit.bus
    given = {name: spec.free(name) for name in ("start", "data", "end", "swap", "cancel")}
    value, idle = spec.free("value", len(commands.value)), spec.free("idle")
    spec.assume(sum(given.values()) <= 1)
    waits, before = Signal(), Signal(len(value), name="before")
    m.d.sync += [waits.eq(given["data"] & ~commands.taken), before.eq(value)]
    spec.assume(~waits | (given["data"] & (value == before)))
    m.d.comb += [getattr(commands, name).eq(signal) for name, signal in given.items()]
    m.d.comb += [commands.value.eq(value), unit.idle.eq(idle)]
    status = commands.status
    ready, swapping, bank = status[1], status[2], status[4]

    # What a load is, told by words
    begins = given["start"] & ~swapping
    taken = given["data"] & commands.taken
    loading, count = Signal(name="model_loading"), Signal(range(needed + 2), name="model_count")
    crc = Signal(32, name="model_crc")
    place = Signal(range(word), name="model_place")  # of the bit that comes, which takes a cycle
    with m.If(given["data"] & loading & (count < needed)):
        m.d.sync += place.eq(Mux(commands.taken, 0, place + 1))
    whole = given["end"] & loading & (count == needed) & (value == (~crc)[:32])
    with m.If(begins):
        m.d.sync += [loading.eq(1), count.eq(0), place.eq(0), crc.eq(0xFFFFFFFF)]
    with m.Elif(given["end"]):
        m.d.sync += loading.eq(0)
    with m.Elif(taken & loading):
        m.d.sync += count.eq(Mux(count == needed + 1, count, count + 1))
    with m.If(given["data"] & loading & (count < needed)):
        m.d.sync += crc.eq(crc[1:] ^ Mux(crc[0] ^ value.bit_select(place, 1), POLYNOMIAL, 0))
    complete, was_ready, was_bank, was_crc = Signal(), Signal(), Signal(), Signal(32)
    swaps, was_swapped = Signal(), Signal()
    m.d.sync += [complete.eq(whole), was_ready.eq(ready)]
    m.d.ever += was_crc.eq(Mux(swaps, ~crc, commands.weights_crc))
    m.d.comb += swaps.eq(swapping & idle & ~given["cancel"])
    spec.claim("only a whole load with its CRC becomes ready", ~ready | was_ready | complete)
    spec.claim("a whole load with its CRC becomes ready", ready | ~complete)
    spec.claim("what was fetched is fetched again as the bank changes", bus.refill == swaps)
    spec.claim("no frame begins while a swap waits", unit.hold == swapping)
    spec.claim("only what is ready is swapped in", ~swapping | ready)
    moved = Signal(name="moved", attrs={START: 1})
    m.d.ever += [was_bank.eq(bank), was_swapped.eq(swaps), moved.eq(~spec.first)]
    swapped_alone = (bank != was_bank) == was_swapped
    spec.claim("the bank changes with a swap alone, while no frame is inside", ~moved | swapped_alone)
    spec.claim("the CRC is that of the weights that compute", ~moved | (commands.weights_crc == was_crc))
    _writes(spec, unit, every, word, begins=begins, value=value, offered=given["data"] & loading, count=count)


def _writes(
    spec: Spec,
    unit: WeightLoader,
    memories: Sequence[LoadMemory],
    word: int,
    *,
    begins: Value,
    value: Value,
    offered: Value,
    count: Value,
) -> None:
    """Claims of what is written: every word once, in order, with its bits."""
    m, bus = spec.m, unit.bus
    total = sum(memory.bits for memory in memories)
    picked = Signal(range(total), name="picked")  # a bit of the load, any
    m.d.ever += picked.eq(picked)
    spec.assume(picked < total)
    bit, at = Signal(name="bit"), Signal(range(word), name="at")
    m.d.comb += at.eq(picked % word)
    with m.If(offered & (count == picked // word)):
        m.d.sync += bit.eq(value.bit_select(at, 1))
    places = [(k, address) for k, memory in enumerate(memories) for address in range(memory.depth)]
    written = Signal(range(len(places) + 1), name="written")
    writes = bus.write.any()
    with m.If(begins):
        m.d.sync += written.eq(0)
    with m.Elif(writes):
        m.d.sync += written.eq(Mux(written == len(places), written, written + 1))
    right, mine, low = Signal(name="right"), Signal(name="mine"), 0
    shown = Signal(name="shown")
    with m.Switch(written):
        for number, (k, address) in enumerate(places):
            width = memories[k].width
            written_bits, inside = bus.word[len(bus.word) - width :], picked - low
            with m.Case(number):
                m.d.comb += [
                    right.eq((bus.write == 1 << k) & (bus.address[: len(bus.address)] == address)),
                    mine.eq((picked >= low) & (picked < low + width)),
                    shown.eq(written_bits.bit_select(inside[: max(1, (width - 1).bit_length())], 1)),
                ]
            low += width
    spec.claim("words are written in order, each once", ~writes | right)
    spec.claim("each bit is written where it belongs", ~(writes & mine) | (shown == bit))
    spec.claim("nothing is written while a swap waits", ~(writes & unit.hold))
    spec.claim("what is ready was written whole", ~unit.commands.status[1] | (written == len(places)))
    spec.cover("a load is swapped in", bus.refill)
