"""The one way from Amaranth to Verilog.

Components become RTLIL, Yosys writes it as Verilog. Attributes that only tell where a line came from are
stripped, ram_style stays. The same component gives the same bytes, whatever the hash seed or folder.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Const, Value
from amaranth.lib import wiring

from bitwright_hw.yosys import Yosys

# an Amaranth name for element k of an array, `\name[k]`; RTLIL writes bit k of a signal with a space before it
_ELEMENT = re.compile(r"\\\S+\[\d+\]\S*")
_INITIAL_WORDS = 256  # statements of an initial block: the time that Yosys takes to read one grows with their square
_STRIPPED = ("src", "generator", "top", "amaranth.hierarchy", "amaranth.decoding", "amaranth.sample_reg")


def emit(component: wiring.Component, name: str, *, shared: Mapping[str, wiring.Component] | None = None) -> str:
    """Verilog text of `component` as module `name`.

    `shared` gives the modules that the component instantiates by name: each is elaborated once, however often
    it is used. Module names below the top carry its name as a prefix, so that designs can be put together.
    """
    yosys = Yosys()
    with tempfile.TemporaryDirectory(prefix="bitwright-") as folder_name:
        folder = Path(folder_name)
        commands = []
        for module, part in [*sorted((shared or {}).items()), (name, component)]:
            text = rtlil.convert(part, name=module, ports=ports(part), emit_src=False)
            (folder / f"{module}.il").write_text(without_brackets(text))
            commands.append(f"read_rtlil {module}.il")
        removals = " ".join(f"-remove {attribute}" for attribute in _STRIPPED)
        # nothing is optimized: that is the synthesizer's work, and here it would take masks and wide registers apart
        # bit by bit, which readers and simulators pay for, and drop what only the benches look at
        commands += [
            f"hierarchy -top {name}",
            "proc -noopt",
            "memory_collect",
            f"attrmap {removals}",
            f"attrmap -modattr {removals}",
            "write_verilog -simple-lhs out.v",
        ]
        yosys.run(commands, folder)
        text = (folder / "out.v").read_text()
    # the first line names Yosys' build
    return short_initials(text.split("\n", 1)[1].lstrip("\n"))


def short_initials(text: str) -> str:
    """Verilog with initial blocks of at most _INITIAL_WORDS lines: those of deep memories cut into several."""
    lines: list[str] = []
    inside = 0
    for line in text.split("\n"):
        if line == "  initial begin":
            inside = 1
        elif line == "  end":
            inside = 0
        elif inside:
            if inside > _INITIAL_WORDS:
                lines += ["  end", "  initial begin"]
                inside = 1
            inside += 1
        lines.append(line)
    return "\n".join(lines)


def without_brackets(text: str) -> str:
    """RTLIL in which element k of an array is called name.k, as fields of structures are, in place of name[k].

    Yosys' own ABC9 calls bit k of a port name[k], and stops where a wire has that name already.
    """
    return _ELEMENT.sub(lambda found: re.sub(r"\[(\d+)\]", r".\1", found[0]), text)


def ports(component: wiring.Component) -> dict[str, tuple[Value, None]]:
    """The component's ports by their Verilog names; members that are constants (an always-ready stream's
    ready) are none. The value's second part leaves the direction to Amaranth, which sees who drives it."""
    found = {}
    for path, _, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if isinstance(signal, Const):
            continue
        found["__".join(map(str, path))] = (signal, None)
    return found
