"""A family of FPGAs: all that differs from one to another, as one object.

Components, the estimate and the tools' flows take a Family and ask it; none asks for its name.
"""

from dataclasses import dataclass
from pathlib import Path

from bitwright.families import FamilyName
from bitwright_hw.cells import BlockRam
from bitwright_hw.families.flow import Flow
from bitwright_hw.families.synthesis import Synthesis


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Nanoseconds, each with the wire behind it."""

    register: float  # clock to output, and the setup of the next
    block_ram: float  # the same for a block RAM without output register
    level: float  # a LUT, or an addition of few bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A family. Two are equal if they are the same object.

    `name` is what plans, manifests, boards and options say, `title` the maker's. `simulation_models` are Verilog models
    of the cells that designs instantiate: a simulator needs them, a tool for the family brings its own. Without
    `synthesis` nothing counts its designs: so it is with what is made for any FPGA. Without `flow` nothing here places
    them.
    """

    name: FamilyName
    title: str
    delays: Delays
    block_ram: BlockRam
    simulation_models: tuple[Path, ...] = ()
    synthesis: Synthesis | None = None
    flow: Flow | None = None
