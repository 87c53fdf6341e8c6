"""How a family's designs are synthesized with Yosys, and what the cells of a netlist occupy."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from bitwright_core.errors import ToolError
from bitwright_hw.cells import Counts

# Yosys' notes on the modules that it flattened: cells of every family's netlists that are no hardware
_NOTES = (r"\$scopeinfo", Counts())


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Yosys' own script for a family, and the cells that it leaves.

    `labels` are the script's parts, run one after the other so that progress shows; the last one is not run. `before`
    has commands that go in front of a part. `cells` gives what each cell occupies, its name as a regular expression;
    what Yosys leaves as an inverter or as padding must be there, too. Pads and clock buffers are left out by the
    command's options.
    """

    command: str
    labels: tuple[str, ...]
    cells: tuple[tuple[str, Counts], ...]
    before: tuple[tuple[str, str], ...] = ()

    def parts(self, top: str) -> list[list[str]]:
        """The commands of each part, for module `top`."""
        found = []
        for begin, end in itertools.pairwise(self.labels):
            extra = [command for label, command in self.before if label == begin]
            found.append([*extra, f"{self.command} -top {top} -run {begin}:{end}"])
        return found

    def count(self, cells: Mapping[str, int]) -> Counts:
        """What `cells`, a number of each type, occupy. Raises ToolError for a type that it does not know."""
        total = Counts()
        for kind, number in cells.items():
            for pattern, counts in (*self.cells, _NOTES):
                if re.fullmatch(pattern, kind):
                    total += Counts(**{f.name: number * getattr(counts, f.name) for f in fields(Counts)})
                    break
            else:
                script = self.command.partition(" ")[0]
                raise ToolError(f"the netlist of {script} has {number} {kind}, which bitwright cannot count as LUTs")
        return total
