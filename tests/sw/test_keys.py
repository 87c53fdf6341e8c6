"""Unknown keys and wrong choices, wherever in a file they stand."""

from dataclasses import dataclass
from typing import Literal

import msgspec
import pytest

from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean, near


class Circle(msgspec.Struct, tag="circle", tag_field="kind"):
    radius: int


class Square(msgspec.Struct, tag="square", tag_field="kind"):
    side: int


@dataclass
class Pen:
    colour: Literal["red", "blue"] = "red"


@dataclass
class Drawing:
    shapes: tuple[Circle | Square, ...]
    pen: Pen | None = None
    scale: float | Literal["fit"] = 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shapes": [{"kind": "circle", "radius": 1}], "pen": {"colour": "blue"}, "scale": "fit"}, None),
        ({"shapes": [], "pen": None, "scale": 2.0}, None),
        ({"shape": []}, "unknown key shape (did you mean shapes?); the keys are shapes, pen, scale"),
        ({"shapes": [], "zzz": 1}, "unknown key zzz; the keys are shapes, pen, scale"),
        ({"pen": {"color": "red"}}, "unknown key pen.color (did you mean colour?); the keys there are colour"),
        ({"pen": {"colour": "bleu"}}, "pen.colour must be one of blue, red, not 'bleu' (did you mean blue?)"),
        ({"shapes": [{"kind": "circle"}, {"kind": "square", "sides": 1}]}, "shapes[1].sides (did you mean side?)"),
        ({"shapes": [{"kind": "sqare"}]}, "shapes[0].kind must be one of circle, square, not 'sqare' (did you mean sq"),
        ({"scale": "fitt"}, "scale must be one of fit, not 'fitt' (did you mean fit?)"),
        # of the wrong kind altogether: msgspec's own message tells it
        ({"shapes": 3, "pen": 4}, None),
        ([], None),
    ],
)
def test_first_mistake(values, message):
    found = first_mistake(values, Drawing)
    assert found is None if message is None else found.startswith(message) or message in found


def test_near_misses():
    assert near("Clock_MHz", ["clock-mhz", "data-bits"]) == "clock-mhz"
    assert near("zzz", ["clock-mhz"]) is None
    assert did_you_mean("pynq-z3", ["pynq-z1", "pynq-z2"]) == " (did you mean pynq-z2?)"
    assert did_you_mean("z", []) == ""
