"""The hardware: Amaranth components of the accelerator, and the generator that writes them as Verilog.

`generate(network, plan, out)` is all that other packages need; it is loaded with its first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_hw.generator import generate as generate


def __getattr__(name: str) -> Any:
    if name == "generate":
        from bitwright_hw.generator import generate

        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
