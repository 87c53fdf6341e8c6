"""A generated design folder: Verilog files, plan.toml, network.safetensors, and manifest.json that ties them.

Written by the generator, read by simulation and boards, which see emitted files alone. A folder may come from somebody
else, so everything in it is checked as it is read (`bitwright_core.untrusted`, `manifest`, `derived`, `verilog_check`).
"""

import hashlib
from functools import cached_property
from pathlib import Path

from bitwright_core.derived import check_derived
from bitwright_core.errors import DesignError
from bitwright_core.loading import Load, check_load
from bitwright_core.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    MODELS_FOLDER,
    LayerEntry,
    LayerProbe,
    Manifest,
    ScoreProbe,
    read_manifest,
)
from bitwright_core.network import Network, load
from bitwright_core.plan import Plan
from bitwright_core.untrusted import file_inside
from bitwright_core.verilog_check import check_verilog

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "MODELS_FOLDER",
    "Design",
    "LayerEntry",
    "LayerProbe",
    "Manifest",
    "ScoreProbe",
    "file_digest",
    "verilog_digest",
]


class Design:
    """A design folder, opened and checked. Raises DesignError for one that is missing, damaged or altered.

    Verilog that was edited is no error, but `edited_files` names it. The Verilog reaches tools through `verilog` and
    `simulation_sources` alone, which refuse what could run something on this machine unless `trust_verilog`.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, trust_verilog: bool = False):
        self.folder = folder
        self.manifest = manifest
        self.trust_verilog = trust_verilog
        self.replaced: tuple[str, ...] = ()  # by `generate`: what went with the design that was there before

    @staticmethod
    def load(folder: object, *, trust_verilog: bool = False) -> "Design":
        path = Path(str(folder))
        design = Design(path, read_manifest(path), trust_verilog=trust_verilog)
        for name in design.manifest.names:
            file_inside(path, name, DesignError)
        first = () if design.manifest.first_load is None else (design.manifest.first_load,)
        for name in (design.manifest.network, design.manifest.plan, *first):
            if name in design.altered([name]):
                raise DesignError(
                    f"{path}: {name} was altered after the design was generated, and its Verilog is of the old one; "
                    f"generate another design from it, or bring the old {name} back"
                )
        return design

    def altered(self, names: list[str]) -> list[str]:
        """Those of the design's files `names` that are no longer what the generator wrote."""
        return [name for name in names if file_digest(self.folder / name) != self.manifest.files.get(name)]

    @cached_property
    def verilog(self) -> list[Path]:
        """The Verilog files, in compile order, checked."""
        return self._checked(self.manifest.verilog)

    @cached_property
    def simulation_sources(self) -> list[Path]:
        """What a simulator compiles: models of vendor cells, if any, and the design, checked."""
        return [*self._checked(self.manifest.simulation_models), *self.verilog]

    def check_derived(self) -> None:
        """Raises DesignError, naming the first field, unless the manifest follows from network and plan."""
        check_derived(self.folder, self.manifest, self.network, self.plan)

    def _checked(self, names: list[str]) -> list[Path]:
        self.check_derived()
        files = [file_inside(self.folder, name, DesignError) for name in names]
        if not self.trust_verilog:
            for file in files:
                check_verilog(file)
        return files

    @cached_property
    def network(self) -> Network:
        """The network that the design was generated from. Raises NetworkError, or DesignError for another."""
        network = load(self.folder / self.manifest.network)
        if network.digest != self.manifest.network_digest:
            raise DesignError(f"{self.folder}: {self.manifest.network} is not the network of the manifest")
        return network

    @cached_property
    def plan(self) -> Plan:
        return Plan.load(self.folder / self.manifest.plan)

    @cached_property
    def first_load(self) -> Load | None:
        """What must be loaded before the accelerator computes its network; None where it begins with that. Raises
        DesignError or NetworkError for a file that is not this."""
        name = self.manifest.first_load
        if name is None:
            return None
        load = Load.read(file_inside(self.folder, name, DesignError))
        check_load(load, self.network, self.manifest.loads, self.folder)
        return load

    @cached_property
    def edited_files(self) -> list[str]:
        """The Verilog files and models that are no longer what the generator wrote."""
        return self.altered([*self.manifest.verilog, *self.manifest.simulation_models])

    @property
    def edited(self) -> bool:
        """True if the Verilog is no longer what the generator wrote."""
        return bool(self.edited_files)

    @property
    def ideal_interval_cycles(self) -> int:
        """Cycles a frame of the slowest stage, the input and output streams included."""
        stages = [layer.ideal_cycles for layer in self.manifest.layers]
        return max(*stages, self.manifest.input.beats, self.manifest.stream_cycles, self.manifest.output.beats)

    def _repr_html_(self) -> str:
        """How a notebook shows it: folds and cycles of each layer."""
        from bitwright_core.html import html_table

        m = self.manifest
        facts = [
            ("a frame every", f"{m.interval_cycles:,} cycles"),
            (f"frames/s at {m.clock_mhz:g} MHz", round(m.clock_mhz * 1e6 / m.interval_cycles)),
            ("latency", f"{m.latency_cycles:,} cycles"),
            ("top module", m.top),
            ("folder", self.folder),
        ]
        rows = [(y.name, y.kind, y.inputs, y.outputs, y.pe, y.simd, y.lanes, y.ideal_cycles) for y in m.layers]
        columns = ("layer", "kind", "inputs", "outputs", "PE", "SIMD", "lanes", "cycles a frame")
        return html_table(f"Design {m.name}", facts, columns, rows)

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Design {m.name} in {self.folder}: {m.interval_cycles} cycles a frame, digest {m.digest[:12]}>"


def file_digest(file: Path) -> str:
    """SHA-256 (hex) of the file's content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def verilog_digest(files: list[Path]) -> str:
    """SHA-256 (hex) over the content of the files, in order."""
    sha = hashlib.sha256()
    for file in files:
        sha.update(file.read_bytes())
    return sha.hexdigest()
