"""What a new design would replace: an earlier one, or something that is nobody's to replace."""

from pathlib import Path

from bitwright_core.design import MANIFEST, MODELS_FOLDER, Design, Manifest
from bitwright_core.errors import BitwrightError, DesignError
from bitwright_core.manifest import read_manifest
from bitwright_core.network import Network, load
from bitwright_core.plan import Plan

# how the names begin of what simulate, verify and synth leave in a design
_BY_PRODUCTS = ("waves-", "reproducer", "synth")
# the same of what is made again in seconds: it goes with a design, with a word, and holds nothing up
_RESULTS = ("verify-", "simulate-", "report")
# what a design of any format consists of
_OWN_SUFFIXES = (".v", ".safetensors", ".toml")


def check_folder(
    folder: Path, network: Network | None = None, plan: Plan | None = None, *, force: bool = False
) -> tuple[str, ...]:
    """Raises DesignError if `folder`, or what stands in its place, holds anything but an earlier design, as generated.

    Nor may it hold waves and reports of another network than `network`. Returns what goes that generating does not
    bring back: the names of what simulate, verify and synth left there, and another network's design.

    With `force` an earlier design may be edited or unreadable, and another network's waves and reports go with it.
    Files that no design has are refused all the same. Without `network` and `plan` that is left to a later call.
    """
    if not folder.exists():
        for parent in folder.parents:
            if parent.exists() and not parent.is_dir():
                raise DesignError(f"{parent}: a file is in the way of the design folder; choose another folder")
        return ()
    if Path.cwd().is_relative_to(folder.resolve()):
        raise DesignError(
            f"{folder}: is the folder you are in, or one around it, and a design is replaced as a whole; "
            "name a folder of its own"
        )
    if not folder.is_dir():
        raise DesignError(f"{folder}: a file is in the way of the design folder; choose another folder")
    present = {entry.name for entry in folder.iterdir()}
    by_products = {name for name in present if name.startswith(_BY_PRODUCTS)}
    results = {name for name in present if name.startswith(_RESULTS)}
    manifest = _manifest(folder, force=force) if MANIFEST in present else None
    if MANIFEST in present and MODELS_FOLDER in present and (folder / MODELS_FOLDER).is_dir():
        present.remove(MODELS_FOLDER)
        present |= {f"{MODELS_FOLDER}/{entry.name}" for entry in (folder / MODELS_FOLDER).iterdir()}
    mine: set[str] = set()
    if manifest is not None:
        mine = {*manifest.names, MANIFEST, *by_products, *results}
    elif MANIFEST in present:
        mine = {name for name in present if name.endswith(_OWN_SUFFIXES)} | {MANIFEST, *by_products, *results}
    foreign = sorted(present - mine)
    if foreign:
        others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise DesignError(
            f"{folder}: holds {foreign[0]}{others}, which no earlier design put there; "
            "nothing was written: choose another folder, or move them away"
        )
    if manifest is not None and network is not None and plan is not None and not force:
        _check_lost(folder, manifest, network, plan, sorted(by_products))
    if manifest is None and not force:
        return ()
    other: tuple[str, ...] = ()
    if manifest is not None and network is not None and manifest.network_digest != network.digest:
        other = (f"the design of network {manifest.name}, digest {manifest.network_digest[:12]}",)
    return (*other, *sorted(by_products | results))


def _manifest(folder: Path, *, force: bool) -> Manifest | None:
    """The earlier design's manifest; None for one that cannot be read, if that does not matter."""
    try:
        return read_manifest(folder)
    except DesignError as error:
        if force:
            return None
        raise DesignError(
            f"{error}; nothing was written: choose another folder, or replace what is there with --force"
        ) from None


def _check_lost(folder: Path, manifest: Manifest, network: Network, plan: Plan, by_products: list[str]) -> None:
    """Raises DesignError if somebody's edits, or waves and reports of another network, would be lost."""
    keep = "nothing was written: choose another folder, or replace it all with --force"
    if manifest.network_digest != network.digest and by_products:
        raise DesignError(
            f"{folder}: holds {', '.join(by_products)} of another network, {manifest.name} of digest "
            f"{manifest.network_digest[:12]}, and not of {network.name} of digest {network.digest[:12]}; {keep}"
        )
    design = Design(folder, manifest)
    lost = [
        name
        for name in design.altered([name for name in manifest.names if (folder / name).is_file()])
        if not (name == manifest.plan and _same_plan(folder / name, plan))
        and not (name == manifest.network and _same_network(folder / name, network))
    ]
    if lost:
        raise DesignError(
            f"{folder}: {', '.join(lost)} was edited after the design was generated, and would be lost; {keep}"
        )


def _same_plan(file: Path, plan: Plan) -> bool:
    try:
        return Plan.load(file) == plan
    except BitwrightError:
        return False


def _same_network(file: Path, network: Network) -> bool:
    try:
        return load(file) == network
    except BitwrightError:
        return False
