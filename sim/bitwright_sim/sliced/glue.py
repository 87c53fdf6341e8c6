"""The C++ that ties a program together: where everything lies, and what a cycle calls."""

from collections.abc import Sequence

from bitwright_core.design import Manifest
from bitwright_core.plan import ceil_div
from bitwright_sim.native.build import Probe
from bitwright_sim.sliced.part import Function
from bitwright_sim.sliced.program import Program

_ARGUMENT_TYPES = "V*, V*, V*, const V* const*, const uint64_t* const*, uint64_t*, const V*"
_CONTROL_ARGUMENTS = "uint64_t* w, uint64_t* next, uint64_t* c, const uint64_t* in, uint64_t* rom"


def control_functions(program: Program) -> list[tuple[str, str]]:
    """The control functions by name, with their texts."""
    found = []
    for kind, bodies in (("comb", program.control), ("edge", program.edge)):
        for k, body in enumerate(bodies):
            name = f"{kind}_{k}"
            found.append((name, f'extern "C" void {name}({_CONTROL_ARGUMENTS}) {{\n{body}\n}}\n'))
    return found


class Layout:
    """Offsets of all vectors in one allocation: zero, ones, the input beat, then S, T and D of each part."""

    def __init__(self, program: Program):
        self.offset: dict[str, int] = {"zero": 0, "ones": 1, "in": 2}
        at = 2 + program.data_bits
        for k, part in enumerate(program.parts):
            for array, size in (("S", part.slots), ("T", part.temporaries), ("D", part.data_size)):
                self.offset[f"{array}{k}"] = at
                at += size
        self.vectors = at + 1

    def of(self, place: tuple[str, int]) -> int:
        return self.offset[place[0]] + place[1]


def glue(program: Program, manifest: Manifest, probes: Sequence[Probe]) -> str:
    """The text of the file that includes the harness."""
    layout = Layout(program)
    state_at, state = [], 0
    for part in program.parts:
        state_at.append(state)
        state += part.state
    words_at, words = [], 0
    imports_at, imports = [], 0
    for k in range(len(program.parts)):
        words_at.append(words)
        words += len(program.words[k])
        imports_at.append(imports)
        imports += len(program.imports[k])
    functions = [f for _, f in (*program.exports, *program.updates)]
    functions += [f for observed in program.observed for _, f in observed.functions]

    def calls(pairs: Sequence[tuple[int, Function]]) -> list[str]:
        return [
            f.call(
                f"memory + {layout.offset[f'S{k}']}",
                f"memory + {layout.offset[f'T{k}']}",
                f"memory + {layout.offset[f'D{k}']}",
                f"imports + {imports_at[k]}",
                f"words + {words_at[k]}",
                f"state + {state_at[k]}",
                "nullptr",
            )
            for k, f in pairs
        ]

    def table(name: str, values: Sequence[int], kind: str = "uint32_t") -> str:
        return f"const {kind} {name}[] = {{{', '.join(map(str, [*values, 0]))}}};"

    shapes = [(p.words, p.fields, p.bits, p.values, p.words // p.pixels) for p in probes]
    shapes.append((manifest.output.beats, 1, 64, manifest.output.beats, manifest.output.beats))
    places = [[layout.of(place) for place in observed.data] for observed in program.observed]
    names = control_functions(program)
    arrays = {"w": program.register_limbs, "next": program.register_limbs, "c": program.comb_limbs}
    arrays |= {"in": program.input_limbs, "rom": program.rom_limbs, "state": state}
    fmt = manifest.input
    lanes = fmt.data_bits // 8
    last = fmt.bytes - (fmt.beats - 1) * lanes
    keep_limbs = ceil_div(lanes, 64)

    def keep(count: int) -> str:
        mask = ((1 << count) - 1).to_bytes(8 * keep_limbs, "little")
        return "{" + ", ".join(map(str, mask)) + "}"

    control = "w, next, c, in, rom"
    out = program.outputs
    lines = [
        *dict.fromkeys(f'extern "C" void {f.name}({_ARGUMENT_TYPES});' for f in functions),
        *(f'extern "C" void {name}({_CONTROL_ARGUMENTS});' for name, _ in names),
        "namespace {",
        f"constexpr uint64_t VECTORS = {layout.vectors}, IN_BYTES = {lanes}, OUT_BEATS = {manifest.output.beats};",
        f"constexpr unsigned PROBES = {len(probes)}, OBSERVED = {len(probes) + 1};",
        f"const uint8_t KEEP_ALL[] = {keep(lanes)}, KEEP_LAST[] = {keep(last)};",
        "struct Observed { uint64_t words; unsigned fields, bits; uint64_t values, folds; const uint32_t* data; };",
        *(table(f"places_{p}", values) for p, values in enumerate(places)),
        "const Observed OBSERVED_AT[] = {"
        + ", ".join(
            f"{{{words}, {fields}, {bits}, {values}, {folds}, places_{p}}}"
            for p, (words, fields, bits, values, folds) in enumerate(shapes)
        )
        + "};",
        table("import_places", [layout.of(place) for k in range(len(program.parts)) for place in program.imports[k]]),
        table(
            "ones_at",
            [layout.offset[f"S{k}"] + slot for k, part in enumerate(program.parts) for slot in part.ones]
            + [layout.offset[f"D{k}"] + at + c for k, at, columns in program.start_rows for c in columns],
        ),
        table(
            "state_start",
            [
                x
                for k, part in enumerate(program.parts)
                for limb, value in part.state_start
                for x in (state_at[k] + limb, value)
            ],
            "uint64_t",
        ),
        table("register_start", [x for pair in program.register_start for x in pair], "uint64_t"),
        "}",
        "struct Sim {",
        "    V* memory;",
        "    const uint64_t* rom_start;",
        *(f"    uint64_t {name}[{size + 1}];" for name, size in arrays.items()),
        f"    const V* imports[{imports + 1}];",
        f"    const uint64_t* words[{words + 1}];",
        "    void link() {",
        f"        for (unsigned k = 0; k < {imports}; ++k) imports[k] = memory + import_places[k];",
        "        unsigned k = 0;",
        *(f"        words[k++] = {name};" for part in range(len(program.parts)) for name in program.words[part]),
        "        (void)k;",
        "    }",
        "    void reset() {",
        "        std::memset(memory, 0, VECTORS * sizeof(V));",
        "        memory[1] = ONES;",
        *(f"        std::memset({name}, 0, sizeof {name});" for name in arrays if name != "rom"),
        f"        std::memcpy(rom, rom_start, {8 * program.rom_limbs});",
        "        for (unsigned k = 0; k + 1 < sizeof ones_at / sizeof *ones_at; ++k) memory[ones_at[k]] = ONES;",
        "        for (unsigned k = 0; k + 2 < sizeof state_start / sizeof *state_start; k += 2)",
        "            state[state_start[k]] = state_start[k + 1];",
        "        for (unsigned k = 0; k + 2 < sizeof register_start / sizeof *register_start; k += 2)",
        "            w[register_start[k]] = register_start[k + 1];",
        *(
            f"        in[{program.inputs[name]}] = 1;"
            for name in ("s_axi_control_bready", "s_axi_control_rready")
            if name in program.inputs
        ),
        "    }",
        f"    void comb() {{ {' '.join(f'{name}({control});' for name, _ in names if name.startswith('comb'))} }}",
        "    void edge() {",
        *(f"        {name}({control});" for name, _ in names if name.startswith("edge")),
        f"        std::memcpy(w, next, {8 * program.register_limbs});",
        "    }",
        "    void exports() {",
        *("        " + line for line in calls(program.exports)),
        "    }",
        "    void data() {",
        *("        " + line for line in calls(program.updates)),
        "    }",
        "    void fill(unsigned p) {",
        "        switch (p) {",
    ]
    for p, observed in enumerate(program.observed):
        if observed.functions:
            lines += [
                f"        case {p}:",
                *("            " + line for line in calls(observed.functions)),
                "            break;",
            ]
    lines += [
        "        default: break;",
        "        }",
        "    }",
        "    bool valid(unsigned p) const {",
        "        switch (p) {",
        *(f"        case {p}: return {observed.valid};" for p, observed in enumerate(program.observed)),
        "        default: return false;",
        "        }",
        "    }",
        "    const V* at(uint32_t place) const { return memory + place; }",
        "    V* input() { return memory + 2; }",
        f"    void set_reset(bool low) {{ in[{program.inputs['aresetn']}] = !low; }}",
        "    void set_input(const uint8_t* keep, bool last) {",
        f"        std::memcpy(in + {program.inputs['s_axis_tkeep']}, keep, {ceil_div(lanes, 8)});",
        f"        in[{program.inputs['s_axis_tlast']}] = last;",
        "    }",
        "    void set_streams(bool offering, bool ready) {",
        f"        in[{program.inputs['s_axis_tvalid']}] = offering;",
        f"        in[{program.inputs['m_axis_tready']}] = ready;",
        "    }",
        f"    uint64_t offered_last() const {{ return in[{program.inputs['s_axis_tlast']}]; }}",
        f"    bool ready_in() const {{ return {out['s_axis_tready']}; }}",
        f"    bool valid_out() const {{ return {out['m_axis_tvalid']}; }}",
        f"    bool last_out() const {{ return {out['m_axis_tlast']}; }}",
        f"    uint64_t keep_out() const {{ return {out['m_axis_tkeep']}; }}",
        "};",
    ]
    return "\n".join(lines) + "\n"
