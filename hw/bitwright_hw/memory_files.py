"""Emitted Verilog as Yosys reads it soonest: the contents of memories in files beside it.

Yosys takes 0.7 ms for each word that an initial block assigns, however it is written, and some microseconds for one
that $readmemh reads. Blocks that fill a memory are read from files; all else stays as it is. The result is the same
design. See docs/decisions/0013-memory-contents.md.
"""

from pathlib import Path

from bitwright_core.verilog_memories import fills, replaced


def with_files(text: str, folder: Path, name: str) -> str:
    """`text` with $readmemh in place of the blocks that fill memories.

    The files, `name`_0.mem and so on, are written to `folder`, in which Yosys must run.
    """
    pieces: list[tuple[tuple[int, int], str]] = []
    for fill in fills(text):
        lines: list[str] = []
        for memory, words in fill.words.items():
            for start, values in _runs(words):
                file = folder / f"{name}_{len(pieces)}_{len(lines)}.mem"
                file.write_text("\n".join(f"{value:x}" for value in values) + "\n")
                end = start + len(values) - 1
                lines.append(f'  initial $readmemh("{file.name}", {memory.strip()} , {start}, {end});\n')
        pieces.append((fill.span, "".join(lines)))
        if fill.constant is not None:
            pieces.append((fill.constant, ""))
    return replaced(text, pieces)


def _runs(words: dict[int, int]) -> list[tuple[int, list[int]]]:
    """Words by address as (first address, words that follow each other)."""
    runs: list[tuple[int, list[int]]] = []
    for address, value in sorted(words.items()):
        if runs and address == runs[-1][0] + len(runs[-1][1]):
            runs[-1][1].append(value)
        else:
            runs.append((address, [value]))
    return runs
