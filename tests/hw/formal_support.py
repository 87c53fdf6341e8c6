"""What the formal proofs share: a component with assertions, by Yosys' SAT solver."""

from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal

from bitwright_hw.emit import ports, without_brackets
from bitwright_hw.yosys import Yosys


def prove(spec, folder, *, steps, for_ever=False):
    """Proves every Assert of `spec` under its Assumes, for all inputs, in the first `steps` cycles from power-up,
    or, if `for_ever`, in all cycles, by k-induction with k up to `steps`.

    Raises ToolError, which says so, where an assertion does not hold, or no induction of so many steps closes.
    """
    text = without_brackets(rtlil.convert(spec, name="spec", ports=ports(spec), emit_src=False))
    (folder / "spec.il").write_text(text)
    how = f"-tempinduct {'' if for_ever else '-tempinduct-baseonly'} -maxsteps {steps}"
    commands = [
        "read_rtlil spec.il",
        "hierarchy -check -top spec",
        "proc",
        "flatten",
        "chformal -lower",
        "opt -full",
        "memory -nomap",
        "memory_map",
        "opt -full",
        f"sat {how} -set rst 0 -prove-asserts -set-assumes -verify spec",
    ]
    return Yosys().run(commands, folder)


class Tracker:
    """Follows one entry of a stream, whichever the solver marks, past those ahead of it: `enter`, `leave` are high in
    the cycles in which an entry comes and one goes.

    `inside` counts the entries between. `due` is high while the marked one is the next to go. So a proof about the
    marked one is a proof about each: that none is lost, doubled or overtaken.
    """

    def __init__(self, m: Module, *, mark, enter, leave, most: int):
        self.inside = Signal(range(most + 1))
        self.marks = Signal()  # the entry that comes now is the one to follow
        self.due = Signal()
        marked, gone = Signal(), Signal()
        ahead = Signal(range(most + 1))
        m.d.sync += self.inside.eq(self.inside + enter - leave)
        m.d.comb += [self.marks.eq(mark & enter & ~marked), self.due.eq(marked & ~gone & (ahead == 0))]
        with m.If(self.marks):
            m.d.sync += [marked.eq(1), ahead.eq(self.inside - leave)]
        with m.Elif(leave):
            m.d.sync += [ahead.eq(Mux(ahead == 0, 0, ahead - 1)), gone.eq(gone | self.due)]
