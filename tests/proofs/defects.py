"""Defects to plant: a line of a component changed, and the proof that must find it."""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from bitwright_hw.banked_memory import BankedMemory
from bitwright_hw.control import Control
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.frame_guard import FrameGuard
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.image_pool import ImagePool
from bitwright_hw.pixel_source import PixelSource
from bitwright_hw.results import ResultQueue
from bitwright_hw.row_encoder import RowEncoder
from bitwright_hw.scores import ArgMax
from bitwright_hw.serial.feeder import Feeder
from bitwright_hw.serial.inbox import Inbox
from bitwright_hw.weight_loader import WeightLoader
from bitwright_hw.window import Window


@dataclass(frozen=True, kw_only=True)
class Defect:
    """In `owner.method`, `old` becomes `new`; `proof` then fails with `claim`."""

    says: str
    owner: type
    method: str
    old: str
    new: str
    proof: str
    claim: str
    slow: bool = False


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """With the defect in its component. Raises ValueError if its line is not there, or is there twice."""
    method = getattr(defect.owner, defect.method)
    source = textwrap.dedent(inspect.getsource(method))
    if source.count(defect.old) != 1:
        raise ValueError(f"{defect.owner.__name__}.{defect.method} has {defect.old!r} not once; plant it anew")
    names = dict(method.__globals__)
    exec(compile(source.replace(defect.old, defect.new), "<planted>", "exec"), names)
    with patch.object(defect.owner, defect.method, names[defect.method]):
        yield


DEFECTS = (
    Defect(
        says="a collecting gearbox takes a word while its last one waits",
        owner=Gearbox,
        method="_collect",
        old="~full | self.o.ready if",
        new="1 if",
        proof="gearbox/widen-1-3",
        claim="o: valid holds",
    ),
    Defect(
        says="a shifting gearbox thinks that a word more fits",
        owner=Gearbox,
        method="_shift",
        old="after + needed <= capacity, after",
        new="after + needed <= capacity + 1, after",
        proof="gearbox/shift-2-3",
        claim="each word is right and in order",
        slow=True,
    ),
    Defect(
        says="a dropped frame's bank is lost",
        owner=FrameBuffer,
        method="elaborate",
        old=" + (self.done & self.drop))",
        new=")",
        proof="frame-buffer/1x1x3x1",
        claim="room comes back",
    ),
    Defect(
        says="a dropped frame's words stay in the way of the next one's",
        owner=FrameBuffer,
        method="elaborate",
        old="m.d.sync += write_row.eq(write_base)",
        new="pass",
        proof="frame-queue/widen",
        claim="each word is right and in order",
        slow=True,
    ),
    Defect(
        says="a result's slot is free when it is offered",
        owner=ResultQueue,
        method="elaborate",
        old="sent.eq(self.o.valid & self.o.ready)",
        new="sent.eq(self.o.valid)",
        proof="tail/class-2",
        claim="a tag is taken with each result",
    ),
    Defect(
        says="the later of two equal classes wins",
        owner=ArgMax,
        method="elaborate",
        old="(score > best)",
        new="(score >= best)",
        proof="scores/scaled",
        claim="each word is right and in order",
        slow=True,
    ),
    Defect(
        says="a wrong TKEEP of an earlier beat is forgotten",
        owner=FrameGuard,
        method="elaborate",
        old="faulty.eq((faulty | self.keep) & ~last_beat)",
        new="faulty.eq(0)",
        proof="frame-guard/two-beats",
        claim="a frame is kept if all of it is right",
    ),
    Defect(
        says="a packet that is too long is taken for two",
        owner=FrameGuard,
        method="elaborate",
        old="m.d.sync += swallowing.eq(1)",
        new="pass",
        proof="frame-guard/two-beats",
        claim="no beat leaves else",
        slow=True,
    ),
    Defect(
        says="a write's answer is taken back",
        owner=Control,
        method="elaborate",
        old="with m.If(bus.bready):",
        new="with m.If(bus.bvalid):",
        proof="registers/any-traffic",
        claim="bvalid holds",
        slow=True,
    ),
    Defect(
        says="an error that comes as it is cleared is lost",
        owner=Control,
        method="elaborate",
        old="(errors & ~value[: len(ERRORS.fields)]) | self.errors)",
        new="errors & ~value[: len(ERRORS.fields)])",
        proof="registers/any-traffic",
        claim="a read gives",
        slow=True,
    ),
    Defect(
        says="the source gives a pixel without a grant",
        owner=PixelSource,
        method="elaborate",
        old="gearbox.o.ready.eq(~first | self.grant.valid)",
        new="gearbox.o.ready.eq(1)",
        proof="pixel-source/narrow",
        claim="a grant with each pixel",
    ),
    Defect(
        says="a pool asks for no room",
        owner=ImagePool,
        method="elaborate",
        old="self.space.valid.eq(~completes | self.grant.valid)",
        new="self.space.valid.eq(1)",
        proof="max-pool/3x2-by-2x2",
        claim="no pooled pixel without its grant",
        slow=True,
    ),
    Defect(
        says="a window gives its pixels' room back as it starts",
        owner=Window,
        method="_read",
        old="Mux(finish, released, 0)",
        new="Mux(start, released, 0)",
        proof="window/1x2",
        claim="",
        slow=True,
    ),
    Defect(
        says="a window starts a pixel too early",
        owner=Window,
        method="_read",
        old="(missing <= 0)",
        new="(missing <= 1)",
        proof="window/1x2",
        claim="no word before what it stands for",
    ),
    Defect(
        says="a row of thresholds is that of the beat before",
        owner=RowEncoder,
        method="elaborate",
        old="self.pattern.phase(m, self.i.valid)",
        new="self.pattern.phase(m, self.o.valid)",
        proof="row-encoder/few-rows",
        claim="each word is right and in order",
    ),
    Defect(
        says="a hardwired row's constant is one too large",
        owner=HardwiredEngine,
        method="_totals",
        old="row.constant for row",
        new="row.constant + 1 for row",
        proof="hardwired/generic-1",
        claim="each neuron is what its weights say",
    ),
    Defect(
        says="a frame's padding has TKEEP high",
        owner=Feeder,
        method="elaborate",
        old="keep_bits.eq(Cat(keep_bits[1:], 0))",
        new="keep_bits.eq(Cat(keep_bits[1:], 1))",
        proof="feeder/3-bytes",
        claim="each word is right and in order",
        slow=True,
    ),
    Defect(
        says="bytes of a refused packet stay",
        owner=Inbox,
        method="elaborate",
        old="m.d.sync += stored.eq(committed)",
        new="pass",
        proof="inbox/4-bytes",
        claim="",
        slow=True,
    ),
    Defect(
        says="a load is written to the bank that computes",
        owner=BankedMemory,
        method="elaborate",
        old="_banked(load.address, ~load.bank, len(bits))",
        new="_banked(load.address, load.bank, len(bits))",
        proof="banked-memory/2-words",
        claim="a bank has what was written last",
    ),
    Defect(
        says="a load that is cut off becomes ready",
        owner=WeightLoader,
        method="elaborate",
        old="fits.eq(loading & complete & ~wrong",
        new="fits.eq(loading & ~wrong",
        proof="weight-loader/two-memories",
        claim="only a whole load with its CRC becomes ready",
    ),
    Defect(
        says="a load that is too long becomes ready",
        owner=WeightLoader,
        method="elaborate",
        old="complete & ~wrong & (commands.value",
        new="complete & (commands.value",
        proof="weight-loader/two-memories",
        claim="only a whole load with its CRC becomes ready",
    ),
    Defect(
        says="a load with another CRC becomes ready",
        owner=WeightLoader,
        method="elaborate",
        old="(commands.value == ~crc)",
        new="(commands.value[1:] == ~crc[1:])",
        proof="weight-loader/two-memories",
        claim="only a whole load with its CRC becomes ready",
    ),
    Defect(
        says="the bank changes while a frame is inside",
        owner=WeightLoader,
        method="elaborate",
        old="m.Elif(swapping & self.idle)",
        new="m.Elif(swapping)",
        proof="weight-loader/two-memories",
        claim="what was fetched is fetched again as the bank changes",
    ),
    Defect(
        says="a second load goes on where the first one was cut off",
        owner=WeightLoader,
        method="_store",
        old="number.eq(0), address.eq(0), place.eq(0)",
        new="address.eq(0), place.eq(0)",
        proof="weight-loader/two-memories",
        claim="words are written in order, each once",
    ),
)
