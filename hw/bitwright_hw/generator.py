"""Network and plan to a design folder."""

import hashlib
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import msgspec

from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.checks import check_name
from bitwright_core.design import (
    FORMAT_VERSION,
    MANIFEST,
    MODELS_FOLDER,
    Design,
    LayerEntry,
    LayerProbe,
    Manifest,
    file_digest,
    verilog_digest,
)
from bitwright_core.errors import DesignError, NetworkError
from bitwright_core.loading import LoadEntry
from bitwright_core.manifest import planned_entry, register_map, whole_entry
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress, no_progress
from bitwright_hw.accelerator import AxiAccelerator
from bitwright_hw.earlier import check_folder
from bitwright_hw.emit import emit
from bitwright_hw.families import family_named
from bitwright_hw.load_image import initial_load, load_entry
from bitwright_hw.solve import solved
from bitwright_hw.stage_graph import Solution, StageGraph

NETWORK_FILE = "network.safetensors"
PLAN_FILE = "plan.toml"


def generate(
    network: Network,
    plan: Plan,
    out: Path,
    *,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Design:
    """Writes the design of `network`, folded as `plan` says, into folder `out` and opens it.

    Leaves TOP.v, plan.toml, network.safetensors, manifest.json, own.weights.load where it begins without weights,
    and, in the folder sim, models of the cells that TOP.v instantiates, if any; a design that was there before is
    replaced as a whole, at the end, and `replaced` of the new one names what went with it. `name` names the design and
    its top module. Raises PlanError for a plan that does not fit, ToolError if Yosys is missing, DesignError for a name
    that is no lower-case identifier, or if `out` holds something that is no design or, unless `force`, edits or another
    network's results that would be lost.
    """
    out = Path(out)
    top_name = top_module(network, plan, name)
    check_folder(out, network, plan, force=force)
    report = progress or no_progress
    report("derive parameters", 0, 3)
    solution = solved(network, plan)
    top = AxiAccelerator(solution=solution)
    slow = [stage for stage in solution.graph.stages if stage.preparation]
    for k, stage in enumerate(slow):
        report(stage.preparation, k, len(slow))
        stage.prepare(top.core.units[stage.name])
    report("elaborate", 1, 3)
    text = emit(top, top_name, shared=top.shared)
    report("write", 2, 3)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder_name:
        folder = Path(folder_name) / "design"
        folder.mkdir()
        verilog = [f"{top_name}.v"]
        write_text(folder / verilog[0], header(solution) + text)
        models = family_named(plan.target).simulation_models
        for model in models:
            (folder / MODELS_FOLDER).mkdir(exist_ok=True)
            write_bytes(folder / MODELS_FOLDER / model.name, model.read_bytes())
        network.save(folder / NETWORK_FILE)
        plan.save(folder / PLAN_FILE)
        loads = _loads(solution.graph, folder)
        manifest = Manifest(
            format=FORMAT_VERSION,
            bitwright=metadata.version("bitwright"),
            name=network.name if name is None else name,
            top=top_name,
            verilog=verilog,
            digest=verilog_digest([folder / file for file in verilog]),
            network=NETWORK_FILE,
            network_digest=network.digest,
            plan=PLAN_FILE,
            target=plan.target,
            clock_mhz=plan.clock_mhz,
            interval_cycles=solution.interval_cycles,
            latency_cycles=solution.latency_cycles,
            layers=_layers(solution.graph),
            probes=_probes(solution.graph),
            codes=_code_probes(solution.graph) or msgspec.UNSET,
            score_probe=solution.graph.end.probe,
            input=solution.graph.input,
            output=solution.graph.output,
            load=msgspec.UNSET if loads is None else loads,
            stream_cycles=solution.stream_cycles,
            registers=register_map(plan),
            simulation_models=[f"{MODELS_FOLDER}/{model.name}" for model in models],
        )
        digests = {file: file_digest(folder / file) for file in manifest.names}
        write_bytes(folder / MANIFEST, msgspec.structs.replace(manifest, files=digests).to_bytes())
        replaced = check_folder(out, network, plan, force=force)  # the earlier one may have been edited meanwhile
        _replace(folder, out)
    report("done", 3, 3)
    design = Design.load(out)
    design.replaced = replaced
    return design


def _loads(graph: StageGraph, folder: Path) -> LoadEntry | None:
    """What the manifest says of loads, if there are any; a design that begins without weights gets them as a file."""
    if not graph.loads:
        return None
    load = initial_load(graph)
    entry = load_entry(graph, load)
    if entry.first is not None:
        load.save(folder / entry.first)
    return entry


def top_module(network: Network, plan: Plan, name: str | None = None) -> str:
    """The top module's name: bitwright_NAME, or of a design without a name the network's name with eight digits of
    a digest of network and plan, so that no two designs have one name that a tool could take for the other."""
    if name is None:
        digest = hashlib.sha256(f"{network.digest}\n{plan.text}".encode()).hexdigest()
        return f"bitwright_{network.name}_{digest[:8]}"
    try:
        check_name(name, "design")
    except NetworkError as error:
        raise DesignError(str(error)) from None
    if "__" in name:  # bitwright_a__core is a module of the design a
        raise DesignError(f"design {name!r} must have no two underscores in a row: modules of a design are named so")
    return f"bitwright_{name}"


def _replace(folder: Path, out: Path) -> None:
    """Moves the new design into place; reports and waves of the old one go with it."""
    if out.exists():
        old = folder.parent / "old"
        out.rename(old)
        try:
            folder.rename(out)
        except BaseException:
            if not out.exists():
                old.rename(out)
            raise
        shutil.rmtree(old)
    else:
        folder.rename(out)


def header(solution: Solution) -> str:
    """The comment at the head of the Verilog."""
    network, plan = solution.graph.network, solution.graph.plan
    interval, latency = solution.interval_cycles, solution.latency_cycles
    folds = ", ".join(f"{choice.name} {choice.pe}x{choice.simd}" for choice in plan.layers)
    return (
        f"// bitwright {metadata.version('bitwright')}: network {network.name}, digest {network.digest}\n"
        f"// folds (PE x SIMD): {folds}\n"
        f"// {interval} cycles a frame, latency {latency} cycles; target {plan.target}\n"
        "// Generated: change the network or the plan instead.\n\n"
    )


def _layers(graph: StageGraph) -> list[LayerEntry]:
    nodes = {node.name: node for node in graph.network.nodes}
    found = {
        entry.layer.name: planned_entry(
            nodes[entry.layer.name],
            entry.engine.fold,
            choice,
            memory=entry.engine.weights_in,
            latency_cycles=entry.engine.latency,
        )
        for entry, choice in zip(graph.layers, graph.plan.layers, strict=True)
    }
    found |= {stage.computes: whole_entry(nodes[stage.computes], latency_cycles=stage.delay) for stage in graph.whole}
    return [found[node.name] for node in graph.network.shown_nodes]


def _probes(graph: StageGraph) -> list[LayerProbe]:
    engines = [(entry.layer.name, entry.engine.name, entry.engine.fold.pe, entry.engine.bits) for entry in graph.layers]
    nodes = {node.name: node for node in graph.network.nodes}
    whole = [(stage.computes, stage.name, nodes[stage.computes].outputs, stage.shown_bits) for stage in graph.whole]
    found = {
        layer: LayerProbe(layer=layer, valid=f"core.{unit}.o__valid", data=f"core.{unit}.o__payload", pe=pe, bits=bits)
        for layer, unit, pe, bits in engines + whole
    }
    return [found[node.name] for node in graph.network.shown_nodes]


def _code_probes(graph: StageGraph) -> list[LayerProbe]:
    """Of the engines whose activations have several levels: all have ports `given` and `activations` for them."""
    return [
        LayerProbe(
            layer=entry.layer.name,
            valid=f"core.{entry.engine.name}.given",
            data=f"core.{entry.engine.name}.activations",
            pe=entry.engine.fold.pe,
            bits=entry.layer.edge.number.bits,
        )
        for entry in graph.layers
        if entry.layer.gives_codes
    ]
