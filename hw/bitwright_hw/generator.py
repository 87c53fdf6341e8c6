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
    ScoreProbe,
    file_digest,
    verilog_digest,
)
from bitwright_core.errors import DesignError, NetworkError
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress, no_progress
from bitwright_core.registers import REGISTERS
from bitwright_hw.accelerator import AxiAccelerator
from bitwright_hw.earlier import check_folder
from bitwright_hw.emit import emit
from bitwright_hw.families import family_named
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.params import AcceleratorParams, derive, score_params
from bitwright_hw.rom import rom_place

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

    Leaves TOP.v, plan.toml, network.safetensors, manifest.json and, in the folder sim, models of the cells that TOP.v
    instantiates, if any; a design that was there before is replaced as a whole, at the end, and `replaced` of the new
    one names what went with it. `name` names the design and its top module. Raises PlanError for a plan that does not
    fit, ToolError if Yosys is missing, DesignError for a name that is no lower-case identifier, or if `out` holds
    something that is no design or, unless `force`, edits or another network's results that would be lost.
    """
    out = Path(out)
    top_name = top_module(network, plan, name)
    check_folder(out, network, plan, force=force)
    report = progress or no_progress
    report("derive parameters", 0, 3)
    params = derive(network, plan)
    top = AxiAccelerator(params=params)
    hardwired = [engine for engine in top.core.engines if isinstance(engine, HardwiredEngine)]
    for k, engine in enumerate(hardwired):
        report(f"share the sums of {engine.layer.name}", k, len(hardwired))
        _ = engine.neurons.sums
    report("elaborate", 1, 3)
    text = emit(top, top_name, shared=top.shared)
    report("write", 2, 3)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder_name:
        folder = Path(folder_name) / "design"
        folder.mkdir()
        verilog = [f"{top_name}.v"]
        write_text(folder / verilog[0], header(network, plan, params) + text)
        models = family_named(plan.target).simulation_models
        for model in models:
            (folder / MODELS_FOLDER).mkdir(exist_ok=True)
            write_bytes(folder / MODELS_FOLDER / model.name, model.read_bytes())
        network.save(folder / NETWORK_FILE)
        plan.save(folder / PLAN_FILE)
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
            interval_cycles=params.interval_cycles,
            latency_cycles=params.latency_cycles,
            layers=_layers(params),
            probes=_probes(top),
            score_probe=_score_probe(params),
            input=params.input,
            output=params.output,
            stream_cycles=params.front.stream_cycles if params.front else 0,
            registers=dict(REGISTERS),
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


def header(network: Network, plan: Plan, params: AcceleratorParams) -> str:
    """The comment at the head of the Verilog."""
    folds = ", ".join(f"{choice.name} {choice.pe}x{choice.simd}" for choice in plan.layers)
    return (
        f"// bitwright {metadata.version('bitwright')}: network {network.name}, digest {network.digest}\n"
        f"// folds (PE x SIMD): {folds}\n"
        f"// {params.interval_cycles} cycles a frame, latency {params.latency_cycles} cycles; target {plan.target}\n"
        "// Generated: change the network or the plan instead.\n\n"
    )


def _layers(params: AcceleratorParams) -> list[LayerEntry]:
    return [
        LayerEntry(
            name=layer.name,
            kind=layer.kind,
            inputs=layer.inputs,
            outputs=layer.outputs,
            pe=engine.fold.pe,
            simd=engine.fold.simd,
            lanes=engine.fold.lanes,
            ideal_cycles=engine.fold.frame_cycles,
            memory="logic" if engine.hardwired else rom_place(choice.memory, engine.fold.cycles),
            latency_cycles=engine.latency,
            engine=choice.engine,
            pixels=engine.fold.pixels,
        )
        for layer, engine, choice in zip(params.network.matrix_layers, params.engines, params.plan.layers, strict=True)
    ]


def _probes(top: AxiAccelerator) -> list[LayerProbe]:
    return [
        LayerProbe(
            layer=engine.layer.name,
            valid=f"core.engine_{k}.o__valid",
            data=f"core.engine_{k}.o__payload",
            pe=engine.fold.pe,
            bits=engine.bits,
        )
        for k, engine in enumerate(top.core.engines)
    ]


def _score_probe(params: AcceleratorParams) -> ScoreProbe | None:
    if not params.network.gives_scores:
        return None
    scores = score_params(params.network, params.engines[-1].fold)
    return ScoreProbe(
        valid="core.scores.o__valid",
        data="core.scores.o__payload",
        lanes=scores.lanes,
        bits=scores.score_bits,
    )
