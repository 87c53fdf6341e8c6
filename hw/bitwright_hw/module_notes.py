"""What is told of each module of a design, from the components that became them: comments and the order of ports."""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import TypeAlias

from amaranth.hdl import Fragment
from amaranth.lib import fifo, wiring

from bitwright_hw.verilog_lines import LINE

_MOST = 160  # characters of one size, in the comment
_SIGNS = {"\N{PLUS-MINUS SIGN}": "+-", "\N{MULTIPLICATION SIGN}": "x"}


Part: TypeAlias = wiring.Component | fifo.FIFOInterface


def components(fragment: Fragment, name: str) -> Iterator[tuple[str, Part]]:
    """The components of elaborated `fragment`, by the names of their modules below module `name`."""
    for origin in fragment.origins or ():
        made = getattr(origin, "_elaboratable_", origin)  # inside a ResetInserter, say
        if isinstance(made, Part):
            yield name, made
            break
    for below, place, _ in fragment.subfragments:
        if isinstance(below, Fragment) and place is not None:
            yield from components(below, f"{name}.{place}")


def note(component: Part) -> str:
    """The comment before a component's module, in lines: what it is, its sizes, its latency where it is one number."""
    text = inspect.cleandoc(type(component).__doc__ or "").split("\n\n")[0]
    facts = list(_sizes(component))
    latency = getattr(component, "latency", None)
    if isinstance(latency, int):
        facts.append(f"latency {latency} cycle{'' if latency == 1 else 's'}")
    lines = textwrap.wrap(f"{type(component).__name__}: {_ascii(text)}", LINE - 3)
    lines += textwrap.wrap(_ascii(", ".join(facts)), LINE - 3)
    return "".join(f"// {line}\n" for line in lines)


def _sizes(component: Part) -> Iterator[str]:
    """The constructor's arguments, which every component has as attributes, where they are short."""
    for name in inspect.signature(type(component)).parameters:
        value = getattr(component, name, None)
        if dataclasses.is_dataclass(value) and not hasattr(value, "name"):
            fields = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
            said = " ".join(f"{key} {_value(each)}" for key, each in fields if _value(each))
            if said and len(said) <= _MOST:
                yield f"{name}: {said}"
        elif _value(value):
            yield f"{name} {_value(value)}"


def _value(value: object) -> str:
    """A number, a word or the name of something; "" for what is long or says nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | str):
        return str(value)
    name = getattr(value, "name", "")
    return name if isinstance(name, str) else ""


def _ascii(text: str) -> str:
    """`text` without signs that a Verilog file cannot have in a comment: no tool task, no directive (verilog_check)."""
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    return re.sub(r"[`$\\]|[^\x20-\x7e\n]", "", text)
