"""Every name means one thing: no two classes of the packages share one, but for listed reasons."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = {
    "Accelerator": "the driver's handle of one, on PYNQ or behind a serial line: the same calls, chosen by the import"
}


def test_no_two_public_classes_have_one_name():
    places = defaultdict(list)
    for file in sorted(ROOT.glob("*/bitwright*/**/*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.relative_to(ROOT).as_posix())
    assert len(places) > 400
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in SHARED} == {}, "rename what is not the other"
    assert sorted(SHARED.keys() - shared.keys()) == [], "no longer shared: take it off the list"
