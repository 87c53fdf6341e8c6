"""The one way from Amaranth to Verilog.

Components become RTLIL, Yosys writes it as Verilog, in which names are made plain by `verilog_names`, heads of modules
readable by `verilog_heads`, the contents of memories put by `memory_contents` and long lines broken by `verilog_lines`.
Attributes that only tell where a line came from are stripped; those that say where a memory lies stay. The same
component gives the same bytes, whatever the hash seed or folder.
"""

import re
from collections.abc import Mapping

from amaranth.back import rtlil
from amaranth.hdl import Const, Fragment, Value
from amaranth.lib import wiring

from bitwright_core.plain_folder import plain_folder
from bitwright_hw.marked_memories import MarkedMemories
from bitwright_hw.memory_contents import Contents, put_contents
from bitwright_hw.module_notes import Part, components, note
from bitwright_hw.verilog_heads import ansi_heads
from bitwright_hw.verilog_lines import short_lines
from bitwright_hw.verilog_names import PlainNames, plain_name
from bitwright_hw.yosys import Yosys, plain

# an Amaranth name for element k of an array, `\name[k]`; RTLIL writes bit k of a signal with a space before it
_ELEMENT = re.compile(r"\\\S+\[\d+\]\S*")
_STRIPPED = ("src", "generator", "top", "amaranth.hierarchy", "amaranth.decoding", "amaranth.sample_reg")
# of wires that a register in a module below drives: that register has its value by itself
_INITIAL = re.compile(r"^ *\(\* init = .* \*\)\n", re.M)
# a signal of no bits, which nothing reads: in Verilog that would be two bits
_NO_BITS = re.compile(r"^  (?:wire|reg) \[-1:0\] [^;]*;\n", re.M)


def emit(component: wiring.Component, name: str, *, shared: Mapping[str, wiring.Component] | None = None) -> str:
    """Verilog text of `component` as module `name`.

    `shared` gives the modules that the component instantiates by name: each is elaborated once, however often
    it is used. The names of all modules below the top begin with `name` and two underscores, those of `shared` too, so
    that designs of different names can be put together. Before each module a comment says what it is, of which sizes.
    Lines have at most `verilog_lines.LINE` characters, unless one token has more.
    """
    yosys = Yosys()
    contents: dict[tuple[str, str], Contents] = {}
    made: dict[str, Part] = {}
    instances = re.compile(rf"^( *cell \\)({'|'.join(map(re.escape, shared))})(?= )", re.M) if shared else None
    with plain_folder() as folder:
        commands: list[str] = []
        parts = [(f"{name}.{module}", part) for module, part in sorted((shared or {}).items())]
        for module, part in [*parts, (name, component)]:
            memories = MarkedMemories()
            fragment = Fragment.get(part, memories)
            made |= components(fragment, module)
            text = rtlil.convert(fragment, name=module, ports=ports(part), emit_src=False)
            text = without_brackets(text)
            if instances is not None:
                text = instances.sub(rf"\g<1>{name}.\g<2>", text)
            text, found = memories.take(text)
            contents |= found
            file = folder / f"{len(commands)}.il"
            file.write_text(text)
            commands.append(f"read_rtlil {file.name}")
        removals = " ".join(f"-remove {attribute}" for attribute in _STRIPPED)
        # nothing is optimized: that is the synthesizer's work, and here it would take masks and wide registers apart
        # bit by bit, which readers and simulators pay for, and drop what only the benches look at
        commands += [
            f"hierarchy -top {plain(name)}",
            "proc -noopt",
            "memory_collect",
            f"attrmap {removals}",
            f"attrmap -modattr {removals}",
            "write_verilog -simple-lhs out.v",
        ]
        yosys.run(commands, folder)
        text = (folder / "out.v").read_text()
    # the first line names Yosys' build
    text = _NO_BITS.sub("", _INITIAL.sub("", text.split("\n", 1)[1].lstrip("\n")))
    names = PlainNames(text, kept=ports(component))
    text = names.applied(put_contents(text, contents))
    known = {names.of(module): part for module, part in made.items()}
    orders = {
        module: [plain_name(port) for port in ports(part)]
        for module, part in known.items()
        if isinstance(part, wiring.Component)
    }
    return short_lines(ansi_heads(text, orders, {module: note(part) for module, part in known.items()}))


def without_brackets(text: str) -> str:
    """RTLIL in which element k of an array is called name.k, as fields of structures are, in place of name[k].

    Yosys' own ABC9 calls bit k of a port name[k], and stops where a wire has that name already.
    """
    return _ELEMENT.sub(lambda found: re.sub(r"\[(\d+)\]", r".\1", found[0]), text)


def ports(component: wiring.Component) -> dict[str, tuple[Value, None]]:
    """The component's ports by their Verilog names, in the form that Amaranth's converter takes.

    A member that is a constant, such as the ready of a stream that is always ready, is no port. The None beside each
    value leaves the port's direction to Amaranth, which sees who drives it.
    """
    found = {}
    for path, _, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if isinstance(signal, Const):
            continue
        found["__".join(map(str, path))] = (signal, None)
    return found
