"""A design as an IP for Vivado's catalog: to be put into a design of one's own, for any part of its families."""

import shutil
from pathlib import Path

import msgspec

from bitwright_boards.block_design import accelerator_vlnv
from bitwright_boards.deployment import Vectors
from bitwright_boards.families import FAMILIES, check_families, family_of
from bitwright_boards.vivado import tcl
from bitwright_boards.vivado.component import component
from bitwright_boards.vivado.example import example, example_name
from bitwright_boards.vivado.project import COMMAND, LOG, run_vivado
from bitwright_boards.vivado.wrapper import wrapper, wrapper_name
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.board_build import BUILD_FILE, DESIGN_FOLDER, FORMAT_VERSION, check_build_folder, copy_design
from bitwright_core.design import Design
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.plain_folder import is_plain
from bitwright_core.progress import Progress

PACKAGED = "ip"  # the folder that Vivado packages into
EXAMPLE_FRAMES = 4
PART = "xc7z020clg400-1"  # of the packaging project, where none is asked for: one that Vivado's free edition has
_FOLDERS = ("scripts", "rtl", "example", "build", PACKAGED)
_OWN = (DESIGN_FOLDER, BUILD_FILE, "build.tcl", "component.xml", LOG, *_FOLDERS)


class IpBuild(msgspec.Struct, frozen=True, kw_only=True):
    """build.json of an IP. Names of files are relative to the folder.

    `vlnv` is the IP's name in a catalog; `packaged` tells whether Vivado packaged it here, into folder ip. If not,
    `missing` says why, and `command` packages it, in this folder, wherever there is a Vivado.
    """

    format: int
    name: str
    top: str
    vlnv: str
    part: str
    families: list[str]
    synthesis: list[str]  # what a synthesizer reads
    simulation_models: list[str]  # what a simulator needs beside, unless it has the maker's own cells
    example: str
    files: list[str]
    packaged: bool
    missing: str
    command: str = COMMAND


def build_ip(
    design: Design,
    out: Path,
    vectors: Vectors,
    *,
    part: str | None = None,
    families: tuple[str, ...] = (),
    run: bool = True,
    progress: Progress | None = None,
) -> IpBuild:
    """Writes the IP of `design` to folder `out`, in place of an earlier one, and packages it if there is a Vivado.

    The design is one that Vivado takes. The IP is for the families named, or that of `part`, or all. `vectors`
    are the frames of the example. Raises BoardError for an unknown part or family, or a folder that holds something
    else; ToolError if Vivado fails.
    """
    own = () if part is None else (family_of(part),)
    chosen = check_families((*families, *own)) or FAMILIES
    executable = shutil.which("vivado") if run else None
    if executable is not None and not is_plain(out.absolute()):
        raise BoardError(
            f"{out.absolute()}: Vivado takes no folder with such signs in its name; name one of letters, digits, "
            ". _ / + - with --out"
        )
    result = _write(design, out, vectors, part or PART, chosen)
    result = msgspec.structs.replace(
        result, missing="Vivado was not asked for" if not run else "there is no vivado on PATH"
    )
    if executable is not None:
        _save(result, out)
        run_vivado(executable, out, progress)
        if not (out / PACKAGED / "component.xml").is_file():
            raise ToolError(f"Vivado ended without error, but left no {PACKAGED}/component.xml; see {out / LOG}")
        result = msgspec.structs.replace(result, packaged=True, missing="")
    _save(result, out)
    return result


def _write(design: Design, out: Path, vectors: Vectors, part: str, families: tuple[str, ...]) -> IpBuild:
    top = example(design, vectors)  # checked first: the network is read
    check_build_folder(out, _OWN)
    for name in _FOLDERS:
        if (out / name).exists():
            shutil.rmtree(out / name)
    (out / BUILD_FILE).unlink(missing_ok=True)
    manifest = copy_design(design, out).manifest
    for name in ("scripts", "rtl", "example"):
        (out / name).mkdir()
    example_file = f"example/{example_name(design)}.v"
    sources = [*(f"{DESIGN_FOLDER}/{name}" for name in manifest.verilog), f"rtl/{wrapper_name(manifest)}.v"]
    texts = {
        "build.tcl": tcl.ip_build(PACKAGED),
        "scripts/package_ip.tcl": tcl.package_ip(manifest, part, families=families, folder=PACKAGED),
        f"rtl/{wrapper_name(manifest)}.v": wrapper(manifest),
        "component.xml": component(manifest, families=families),
        example_file: top,
    }
    for name, text in texts.items():
        write_text(out / name, text)
    return IpBuild(
        format=FORMAT_VERSION,
        name=manifest.name,
        top=wrapper_name(manifest),
        vlnv=accelerator_vlnv(manifest),
        part=part,
        families=list(families),
        synthesis=sources,
        simulation_models=[f"{DESIGN_FOLDER}/{name}" for name in manifest.simulation_models],
        example=example_file,
        files=sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()),
        packaged=False,
        missing="",
    )


def _save(build: IpBuild, out: Path) -> None:
    write_bytes(out / BUILD_FILE, msgspec.json.format(msgspec.json.encode(build), indent=2) + b"\n")
