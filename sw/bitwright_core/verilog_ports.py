"""The ports of a module of emitted Verilog, read from its text."""

import re
from dataclasses import dataclass

# ANSI, as designs are written; and with the direction in a declaration of its own, as earlier ones were
_PORT = re.compile(
    r"^ *(input|output|inout) (?:(?:wire|reg) )?(signed )?(?:\[(\d+):0\] )?(\w+|\\\S+ )(?= =|,|;|$)", re.M
)
_ANY_PORT = re.compile(r"^ *(?:input|output|inout)\b", re.M)


@dataclass(frozen=True, kw_only=True)
class VerilogPort:
    """A port: `direction` is input, output or inout; `name` as Verilog has it, an escaped one with its blank."""

    direction: str
    name: str
    width: int = 1
    signed: bool = False

    @property
    def shape(self) -> str:
        """What stands before the name in a declaration: "" or like "signed [10:0] "."""
        return ("signed " if self.signed else "") + (f"[{self.width - 1}:0] " if self.width > 1 or self.signed else "")


def verilog_ports(module: str) -> tuple[VerilogPort, ...]:
    """The ports of `module`, which is the text of one module. Raises ValueError if it is not as the emitter writes."""
    found = tuple(
        VerilogPort(direction=direction, name=name, width=int(high or 0) + 1, signed=bool(signed))
        for direction, signed, high, name in _PORT.findall(module)
    )
    if len(found) != len(_ANY_PORT.findall(module)) or len({port.name for port in found}) != len(found):
        raise ValueError("its ports are written in another way")
    return found


def module_text(text: str, name: str) -> str:
    """The text of module `name` in `text`, from its head to its endmodule; "" if there is none."""
    found = re.search(rf"^module {re.escape(name)}\s*\(.*?^endmodule$", text, re.M | re.S)
    return found[0] if found else ""
