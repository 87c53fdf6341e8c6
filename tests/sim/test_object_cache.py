"""The compiler prefix of Verilator's makefiles: what it keeps changes the time of a build and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from bitwright_sim import _object_cache
from bitwright_sim.tools import Compiler


@pytest.fixture
def build(tmp_path):
    """Compiles a source that needs `verilated.h` to an object, as make does."""
    include = tmp_path / "include"
    include.mkdir()
    (include / "verilated.h").write_text("#ifndef H\n#define H\ninline int seven() { return 7; }\n#endif\n")
    compiler = str(Compiler.find().compiler)

    def run(name: str, text: str, *options: str) -> bytes | None:
        (tmp_path / f"{name}.cpp").write_text(text)
        options = (f"-I{include}", "-I.", "-MMD", "-O1", *options)
        command = [compiler, *options, "-c", "-o", f"{name}.o", f"{name}.cpp"]
        environment = {"BITWRIGHT_OBJECTS": str(tmp_path / "kept"), "PATH": str(Path(compiler).parent)}
        prefix = [sys.executable, "-I", "-S", _object_cache.__file__]
        done = subprocess.run([*prefix, *command], cwd=tmp_path, env=environment, check=False, stderr=subprocess.PIPE)
        return (tmp_path / f"{name}.o").read_bytes() if done.returncode == 0 else None

    return run


SOURCE = '#include "verilated.h"\nint x() { return seven(); }\n'


def test_the_header_is_precompiled_at_the_second_file(build, tmp_path):
    plain = build("a", SOURCE)
    assert plain and not list(tmp_path.glob("kept/*/*"))
    assert build("a", SOURCE) == plain
    (precompiled,) = tmp_path.glob("kept/header-*/verilated.h.gch")
    before = precompiled.stat()
    assert build("a", SOURCE) == plain
    assert precompiled.stat().st_mtime_ns == before.st_mtime_ns
    assert (tmp_path / "a.d").read_text().count("verilated.h"), "make must know what the object depends on"


def test_other_options_take_another_header(build, tmp_path):
    for options in ((), ("-DTWICE",), (), ("-DTWICE",)):
        assert build("a", SOURCE, *options)
    assert len(list(tmp_path.glob("kept/header-*/verilated.h.gch"))) == 2


def test_a_damaged_header_costs_time_alone(build, tmp_path):
    plain = build("a", SOURCE)
    build("a", SOURCE)
    (precompiled,) = tmp_path.glob("kept/header-*/verilated.h.gch")
    precompiled.write_bytes(b"not precompiled")
    assert build("a", SOURCE) == plain


def test_errors_are_the_compiler_s(build):
    for _ in range(3):
        assert build("a", "nonsense") is None
