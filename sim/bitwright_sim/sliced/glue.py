"""The C++ that ties a program together: where everything lies, and what a cycle calls."""

from collections.abc import Sequence
from itertools import accumulate

from bitwright_core.design import Manifest
from bitwright_core.plan import ceil_div
from bitwright_sim.native.build import Probe
from bitwright_sim.sliced.part_pieces import Function
from bitwright_sim.sliced.program import Program

_ARGUMENT_TYPES = "V*, V*, V*, const V* const*, const uint64_t* const*, uint64_t*, const V*"
_CONTROL = "w, next, c, in, rom"
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
    text = _Glue(program, manifest, probes)
    lines = [
        *text.declarations(),
        "struct Sim {",
        *text.members(),
        *text.reset(),
        *text.cycle(),
        *text.observed(),
        *text.streams(),
    ]
    return "\n".join(lines) + "\n"


def _table(name: str, values: Sequence[int], kind: str = "uint32_t") -> str:
    return f"const {kind} {name}[] = {{{', '.join(map(str, [*values, 0]))}}};"


def _starts(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where each of what lies one behind the other begins, and where the last ends."""
    ends = list(accumulate(sizes, initial=0))
    return ends[:-1], ends[-1]


class _Glue:
    """Lines of C++, section by section."""

    def __init__(self, program: Program, manifest: Manifest, probes: Sequence[Probe]):
        self.program = program
        self.manifest = manifest
        self.probes = probes
        self.layout = Layout(program)
        self.lanes = manifest.input.data_bits // 8
        self.control = control_functions(program)
        parts = range(len(program.parts))
        self.state_at, state = _starts([part.state for part in program.parts])
        self.words_at, self.words = _starts([len(program.words[k]) for k in parts])
        self.imports_at, self.imports = _starts([len(program.imports[k]) for k in parts])
        self.functions = [f for _, f in (*program.exports, *program.updates)]
        self.functions += [f for observed in program.observed for _, f in observed.functions]
        self.arrays = {"w": program.register_limbs, "next": program.register_limbs, "c": program.comb_limbs}
        self.arrays |= {"in": program.input_limbs, "rom": program.rom_limbs, "state": state}

    def _calls(self, pairs: Sequence[tuple[int, Function]]) -> list[str]:
        return [
            f.call(
                f"memory + {self.layout.offset[f'S{k}']}",
                f"memory + {self.layout.offset[f'T{k}']}",
                f"memory + {self.layout.offset[f'D{k}']}",
                f"imports + {self.imports_at[k]}",
                f"words + {self.words_at[k]}",
                f"state + {self.state_at[k]}",
                "nullptr",
            )
            for k, f in pairs
        ]

    def _shapes(self) -> list[tuple[int, int, int, int, int]]:
        """Of each probe, and of the output: words, fields of a word, bits of a field, values, words of a pixel."""
        beats = self.manifest.output.beats
        shapes = [(p.words, p.fields, p.bits, p.values, p.words // p.pixels) for p in self.probes]
        return [*shapes, (beats, 1, 64, beats, beats)]

    def _places(self) -> list[list[int]]:
        return [[self.layout.of(place) for place in observed.data] for observed in self.program.observed]

    def declarations(self) -> list[str]:
        """Functions that are called, and constant tables."""
        fmt = self.manifest.input
        last = fmt.bytes - (fmt.beats - 1) * self.lanes

        def keep(count: int) -> str:
            mask = ((1 << count) - 1).to_bytes(8 * ceil_div(self.lanes, 64), "little")
            return "{" + ", ".join(map(str, mask)) + "}"

        return [
            *dict.fromkeys(f'extern "C" void {f.name}({_ARGUMENT_TYPES});' for f in self.functions),
            *(f'extern "C" void {name}({_CONTROL_ARGUMENTS});' for name, _ in self.control),
            "namespace {",
            f"constexpr uint64_t VECTORS = {self.layout.vectors}, IN_BYTES = {self.lanes}, "
            f"OUT_BEATS = {self.manifest.output.beats};",
            f"constexpr unsigned PROBES = {len(self.probes)}, OBSERVED = {len(self.probes) + 1};",
            f"const uint8_t KEEP_ALL[] = {keep(self.lanes)}, KEEP_LAST[] = {keep(last)};",
            "struct Observed { uint64_t words; unsigned fields, bits; uint64_t values, folds; const uint32_t* data; };",
            *(_table(f"places_{p}", values) for p, values in enumerate(self._places())),
            "const Observed OBSERVED_AT[] = {"
            + ", ".join(
                f"{{{words}, {fields}, {bits}, {values}, {folds}, places_{p}}}"
                for p, (words, fields, bits, values, folds) in enumerate(self._shapes())
            )
            + "};",
            _table(
                "import_places",
                [self.layout.of(place) for k in range(len(self.program.parts)) for place in self.program.imports[k]],
            ),
            _table(
                "ones_at",
                [self.layout.offset[f"S{k}"] + slot for k, part in enumerate(self.program.parts) for slot in part.ones]
                + [self.layout.offset[f"D{k}"] + at + c for k, at, columns in self.program.start_rows for c in columns],
            ),
            _table(
                "state_start",
                [
                    x
                    for k, part in enumerate(self.program.parts)
                    for limb, value in part.state_start
                    for x in (self.state_at[k] + limb, value)
                ],
                "uint64_t",
            ),
            _table("register_start", [x for pair in self.program.register_start for x in pair], "uint64_t"),
            "}",
        ]

    def members(self) -> list[str]:
        """What a simulator holds, and how its pointers are set."""
        return [
            "    V* memory;",
            "    const uint64_t* rom_start;",
            *(f"    uint64_t {name}[{size + 1}];" for name, size in self.arrays.items()),
            f"    const V* imports[{self.imports + 1}];",
            f"    const uint64_t* words[{self.words + 1}];",
            "    void link() {",
            f"        for (unsigned k = 0; k < {self.imports}; ++k) imports[k] = memory + import_places[k];",
            "        unsigned k = 0;",
            *(
                f"        words[k++] = {name};"
                for part in range(len(self.program.parts))
                for name in self.program.words[part]
            ),
            "        (void)k;",
            "    }",
        ]

    def reset(self) -> list[str]:
        """The state after reset."""
        return [
            "    void reset() {",
            "        std::memset(memory, 0, VECTORS * sizeof(V));",
            "        memory[1] = ONES;",
            *(f"        std::memset({name}, 0, sizeof {name});" for name in self.arrays if name != "rom"),
            f"        std::memcpy(rom, rom_start, {8 * self.program.rom_limbs});",
            "        for (unsigned k = 0; k + 1 < sizeof ones_at / sizeof *ones_at; ++k) memory[ones_at[k]] = ONES;",
            "        for (unsigned k = 0; k + 2 < sizeof state_start / sizeof *state_start; k += 2)",
            "            state[state_start[k]] = state_start[k + 1];",
            "        for (unsigned k = 0; k + 2 < sizeof register_start / sizeof *register_start; k += 2)",
            "            w[register_start[k]] = register_start[k + 1];",
            *(
                f"        in[{self.program.inputs[name]}] = 1;"
                for name in ("s_axi_control_bready", "s_axi_control_rready")
                if name in self.program.inputs
            ),
            "    }",
        ]

    def cycle(self) -> list[str]:
        """What a cycle calls."""
        comb = " ".join(f"{name}({_CONTROL});" for name, _ in self.control if name.startswith("comb"))
        return [
            f"    void comb() {{ {comb} }}",
            "    void edge() {",
            *(f"        {name}({_CONTROL});" for name, _ in self.control if name.startswith("edge")),
            f"        std::memcpy(w, next, {8 * self.program.register_limbs});",
            "    }",
            "    void exports() {",
            *("        " + line for line in self._calls(self.program.exports)),
            "    }",
            "    void data() {",
            *("        " + line for line in self._calls(self.program.updates)),
            "    }",
        ]

    def observed(self) -> list[str]:
        """When a probe shows a word, and what makes its bits."""
        lines = ["    void fill(unsigned p) {", "        switch (p) {"]
        for p, observed in enumerate(self.program.observed):
            if observed.functions:
                lines += [
                    f"        case {p}:",
                    *("            " + line for line in self._calls(observed.functions)),
                    "            break;",
                ]
        return [
            *lines,
            "        default: break;",
            "        }",
            "    }",
            "    bool valid(unsigned p) const {",
            "        switch (p) {",
            *(f"        case {p}: return {observed.valid};" for p, observed in enumerate(self.program.observed)),
            "        default: return false;",
            "        }",
            "    }",
        ]

    def streams(self) -> list[str]:
        """The accelerator's streams, as the harness drives and sees them."""
        return [
            "    const V* at(uint32_t place) const { return memory + place; }",
            "    V* input() { return memory + 2; }",
            f"    void set_reset(bool low) {{ in[{self.program.inputs['aresetn']}] = !low; }}",
            "    void set_input(const uint8_t* keep, bool last) {",
            f"        std::memcpy(in + {self.program.inputs['s_axis_tkeep']}, keep, {ceil_div(self.lanes, 8)});",
            f"        in[{self.program.inputs['s_axis_tlast']}] = last;",
            "    }",
            "    void set_streams(bool offering, bool ready) {",
            f"        in[{self.program.inputs['s_axis_tvalid']}] = offering;",
            f"        in[{self.program.inputs['m_axis_tready']}] = ready;",
            "    }",
            f"    uint64_t offered_last() const {{ return in[{self.program.inputs['s_axis_tlast']}]; }}",
            f"    bool ready_in() const {{ return {self.program.outputs['s_axis_tready']}; }}",
            f"    bool valid_out() const {{ return {self.program.outputs['m_axis_tvalid']}; }}",
            f"    bool last_out() const {{ return {self.program.outputs['m_axis_tlast']}; }}",
            f"    uint64_t keep_out() const {{ return {self.program.outputs['m_axis_tkeep']}; }}",
            "};",
        ]
