"""The signals of a design that a wave viewer shows first, in groups."""

from bitwright_core.design import Design
from bitwright_core.ports import CLOCK, CONTROL, INPUT, OUTPUT, RESET, accelerator_ports


def groups(design: Design) -> dict[str, list[tuple[str, int]]]:
    """Signals below the top, with their widths in bits, in the order of a frame's way; by the group's name."""
    manifest = design.manifest
    declared = accelerator_ports(manifest.input.data_bits, registers=bool(manifest.registers))
    ports = {name: port.bits for name, port in declared.items()}

    def bus(prefix: str) -> list[tuple[str, int]]:
        return [(name, bits) for name, bits in ports.items() if name.startswith(f"{prefix}_")]

    found = {"clock and reset": [(CLOCK, 1), (RESET, 1)], "input stream": bus(INPUT)}
    for probe in manifest.probes:
        found[f"layer {probe.layer}: results"] = [(probe.valid, 1), (probe.data, probe.pe * probe.bits)]
        for coded in manifest.code_probes:
            if coded.layer == probe.layer:
                found[f"layer {probe.layer}: codes"] = [(coded.valid, 1), (coded.data, coded.pe * coded.bits)]
    if (score := manifest.score_probe) is not None:
        found["scores"] = [(score.valid, 1), (score.data, score.lanes * score.bits)]
    found["output stream"] = bus(OUTPUT)
    return {**found, "registers": bus(CONTROL)} if manifest.registers else found
