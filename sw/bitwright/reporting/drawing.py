"""The drawing of an accelerator: blocks whose areas are to the scale of their LUTs, in the order of a frame's way."""

import math
from dataclasses import dataclass

from bitwright.reporting.blocks import BlockDiagram, DrawnBlock, Wire
from bitwright.reporting.svg import TIMES, drawing, path, rect, text

WIDTHS = {"wide": 1080, "middle": 720, "narrow": 344}  # of a drawing, for a screen, a tablet, a phone
_CELL = 165  # least width of a block's place
_LARGEST = 112  # side of the largest block
_LEAST = 7  # side of what would be too small to be seen
_HEAD, _FOOT = 36, 58  # above and below the largest block, for words
_FINEST = 2.5  # between the lines of a grid
_ROW_GAP = 34


@dataclass(frozen=True)
class _Place:
    """Where a block lies: its cell's corner, and the rectangle in it."""

    row: int
    cell: float  # width of the cell
    x: float  # middle of the cell
    y: float
    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def right(self) -> float:
        return self.left + self.width


def draw(layout: BlockDiagram, name: str, size: str, block_ram: str) -> str:
    """The drawing, as wide as `size` says; blocks follow each other from left to right, in rows."""
    width = WIDTHS[size]
    across = max(1, width // _CELL)
    places = _places(layout.blocks, across, width)
    rows = -(-len(layout.blocks) // across)
    height = rows * (_HEAD + _LARGEST + _FOOT + _ROW_GAP) - _ROW_GAP
    order = {block.name: k for k, block in enumerate(layout.blocks)}
    wires = [_wire(wire, places, order) for wire in layout.wires]
    blocks = [_block(block, places[block.name], block_ram) for block in layout.blocks]
    ports = _ports(layout, places)
    words = "; ".join(_words(block, block_ram) for block in layout.blocks)
    return drawing(width, height, f"The accelerator {name}", words, *wires, *ports, *blocks, class_=f"blocks {size}")


def _words(block: DrawnBlock, block_ram: str) -> str:
    """A block in words, for those who do not see it."""
    layer = f" of {block.layer}" if block.layer else ""
    grid = f", PE {block.grid[0]} by SIMD {block.grid[1]}" if block.grid else ""
    return f"{block.title}{layer}{grid}, {taken(block, block_ram)}{', slowest' if block.slowest else ''}"


def taken(block: DrawnBlock, block_ram: str) -> str:
    """What a block takes."""
    if block.counts is None:
        return "LUTs not known"
    memory = f", {block.counts.block_rams:g} {block_ram}" if block.counts.block_rams else ""
    return f"{block.counts.luts:,} LUTs{memory}"


def _places(blocks: tuple[DrawnBlock, ...], across: int, width: int) -> dict[str, _Place]:
    most = max((block.counts.luts for block in blocks if block.counts), default=1)
    cell = width / across
    found = {}
    for k, block in enumerate(blocks):
        row, column = divmod(k, across)
        x, y = column * cell, row * (_HEAD + _LARGEST + _FOOT + _ROW_GAP)
        luts = most / 4 if block.counts is None else block.counts.luts
        side = max(_LEAST, _LARGEST * math.sqrt(luts / max(1, most)))
        left, top = x + (cell - side) / 2, y + _HEAD + (_LARGEST - side) / 2
        found[block.name] = _Place(row, cell, x + cell / 2, y, left, top, side, side)
    return found


def _block(block: DrawnBlock, place: _Place, block_ram: str) -> str:
    slow = " slow" if block.slowest else ""
    rough = " unknown" if block.counts is None else ""
    parts = [
        text(place.x, place.y + 13, block.title, class_="name", text_anchor="middle"),
        text(place.x, place.y + 28, block.layer, class_="layer", text_anchor="middle") if block.layer else "",
        rect(
            *(place.left, place.top, place.width, place.height),
            class_=f"block {block.colour}{slow}{rough}",
            rx=min(4.0, place.width / 5),
        ),
        _grid(block, place),
    ]
    below = place.y + _HEAD + _LARGEST + 15
    lines = [taken(block, block_ram)]
    if block.grid:
        lines.append(f"PE {block.grid[0]} {TIMES} SIMD {block.grid[1]}")
    if block.cycles is not None:
        lines.append(
            f"{block.cycles:,} cycle{'' if block.cycles == 1 else 's'}" + (" (slowest)" if block.slowest else "")
        )
    for k, line in enumerate(lines):
        slowest = block.slowest and k == len(lines) - 1
        style = "fact slowtext" if slowest else "fact"
        parts.append(text(place.x, below + 14 * k, line, class_=style, text_anchor="middle"))
    return "".join(parts)


def _grid(block: DrawnBlock, place: _Place) -> str:
    """Rows of PE and columns of SIMD; every second, third ... line where they would be too close."""
    if block.grid is None or place.width < 4 * _FINEST:
        return ""
    lines = []
    for count, vertical in ((block.grid[0], False), (block.grid[1], True)):
        step = max(1, math.ceil(count * _FINEST / place.width))
        for k in range(step, count, step):
            at = place.width * k / count
            if vertical:
                lines.append(f"M{place.left + at:.1f} {place.top:.1f}v{place.height:.1f}")
            else:
                lines.append(f"M{place.left:.1f} {place.top + at:.1f}h{place.width:.1f}")
    return path("".join(lines), class_="grid") if lines else ""


def _thickness(bits: int) -> float:
    return 1.2 + 0.55 * math.log2(bits)


def _wire(wire: Wire, places: dict[str, _Place], order: dict[str, int]) -> str:
    """An arrow to the next block, around the end of a row, or, to one further on, below the words."""
    a, b = places[wire.giver], places[wire.taker]
    thick = _thickness(wire.bits)
    if order[wire.taker] == order[wire.giver] + 1 and a.row == b.row:
        way = f"M{a.right + 2:.1f} {a.middle:.1f}H{b.left - 7:.1f}"
        x, y = (a.right + b.left) / 2 - 2, a.middle - 7
    else:
        gutter = b.y - _ROW_GAP / 2 - 4 if a.row != b.row else a.y + _HEAD + _LARGEST + _FOOT
        out = a.x + a.cell / 2 - 2
        into = b.x - b.cell / 2 + 5
        way = f"M{a.right + 2:.1f} {a.middle:.1f}H{out:.1f}V{gutter:.1f}H{into:.1f}V{b.middle:.1f}H{b.left - 7:.1f}"
        x, y = (out + into) / 2, gutter - 5
    label = f"{wire.bits:,}" if wire.lane_bits == 1 else f"{wire.lanes:,} {TIMES} {wire.lane_bits}"
    return path(way, class_="wire", stroke_width=thick, marker_end="url(#tip)") + text(
        x, y, label, class_="bits", text_anchor="middle"
    )


def _ports(layout: BlockDiagram, places: dict[str, _Place]) -> list[str]:
    """The arrows into the first block and out of the last."""
    first = places[layout.blocks[0].name]
    takers = {wire.taker for wire in layout.wires}
    givers = {wire.giver for wire in layout.wires}
    found = [
        path(f"M2 {first.middle:.1f}H{first.left - 7:.1f}", class_="wire", stroke_width=2.5, marker_end="url(#tip)")
    ]
    for name in sorted(takers - givers):
        last = places[name]
        way = f"M{last.right + 2:.1f} {last.middle:.1f}h26"
        found.append(path(way, class_="wire", stroke_width=2.5, marker_end="url(#tip)"))
    return found
