"""Scheduled actions as C++ functions of bounded size over vectors of frames.

Every function has the arguments (S, T, D, I, C, K, X): registers, temporaries, data memories, pointers to bits of other
parts, pointers to control words, the control state of instances, and a unit's inputs. A value that another function
needs goes through T.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bitwright_sim.sliced.gates import Gates
from bitwright_sim.sliced.order import Action

LIMIT = 700  # gates of a function: the compiler's time grows faster than that
ARGUMENTS = (
    "V* __restrict S, V* __restrict T, V* __restrict D, const V* const* __restrict I, "
    "const uint64_t* const* __restrict C, uint64_t* __restrict K, const V* __restrict X"
)


@dataclass(slots=True, eq=False)
class _Batch:
    """Consecutive actions under one condition, or actions that put aside."""

    actions: list[Action]
    nodes: list[list[int]] = field(default_factory=list)  # new nodes of each action, in order
    chunk: int = 0


class Emitter:
    """Writes the bodies of one part's functions."""

    def __init__(
        self,
        gates: Gates,
        leaf_text: Callable[[int], str],
        prelude: Callable[[list[int]], list[str]],
        slots: Callable[[], int],
        known: dict[int, int],
    ):
        """`leaf_text` gives a leaf's operand; `prelude` the declarations that the leaves of a function need; `slots`
        a new place in T; `known` the places of literals that lie in T already."""
        self.gates = gates
        self.leaf_text = leaf_text
        self.prelude = prelude
        self.new_slot = slots
        self.phase: dict[int, int] = {}  # 1 where the stored value is the complement
        self.slot: dict[int, int] = {}
        self.chunk_of: dict[int, int] = {}
        for literal, slot in known.items():
            node = literal >> 1
            if not gates.is_leaf(node):
                self.phase[node], self.slot[node], self.chunk_of[node] = literal & 1, slot, -1

    def functions(self, groups: Sequence[Sequence[Action]]) -> list[str]:
        """The bodies of the functions that execute `groups` (see `order.ordered`) one after another."""
        batches = self._batches(groups)
        always = self._plan(batches)
        self._place_crossings(batches)
        chunks: list[list[_Batch]] = []
        for batch in batches:
            if batch.chunk == len(chunks):
                chunks.append([])
            chunks[batch.chunk].append(batch)
        return [self._body(chunk, always) for chunk in chunks]

    # ---- planning

    def _batches(self, groups: Sequence[Sequence[Action]]) -> list[_Batch]:
        batches: list[_Batch] = []
        for group in groups:
            if len(group) > 1:
                pairs = [self._put_aside(action) for action in group]
                batches += [_Batch([first]) for first, _ in pairs]
                batches += [_Batch([second]) for _, second in pairs]
                continue
            action = group[0]
            last = batches[-1].actions[-1] if batches else None
            same = last is not None and last.condition == action.condition and not last.aside
            if same and any(action.condition):
                batches[-1].actions.append(action)
            else:
                batches.append(_Batch([action]))
        return batches

    def _put_aside(self, action: Action) -> tuple[Action, Action]:
        """An action as two: one that keeps what it evaluates, one that writes it."""
        slots = [self.new_slot() for _ in action.literals]
        first = Action(
            literals=action.literals,
            resource=-1,
            aside=True,
            write=lambda operands: [f"T[{slot}] = {operand};" for slot, operand in zip(slots, operands, strict=True)],
        )
        second = Action(
            literals=[],
            resource=action.resource,
            reset=action.reset,
            enable=action.enable,
            enable_first=action.enable_first,
            start=action.start,
            aside=True,
            write=lambda _: action.write([f"T[{slot}]" for slot in slots]),
        )
        return first, second

    def _plan(self, batches: list[_Batch]) -> set[int]:
        """Gives nodes to batches and batches to functions; returns the nodes computed whatever the conditions."""
        gates = self.gates
        batch_of: dict[int, int] = {}
        always: set[int] = set()
        size = chunk = 0
        for number, batch in enumerate(batches):
            new_here = 0
            for action in batch.actions:
                new: list[int] = []
                for literal in action.literals:
                    self._visit(literal >> 1, number, batch_of, always, new)
                batch.nodes.append(new)
                new_here += len(new) + len(action.literals) // 2 + 1
            if size and size + new_here > LIMIT:
                chunk += 1
                size = 0
            size += new_here
            batch.chunk = chunk
            for new in batch.nodes:
                for node in new:
                    self.chunk_of[node] = chunk
        # what is always computed needs its operands always
        todo = list(always)
        while todo:
            _, a, b = gates.nodes[todo.pop()]
            for operand in (a >> 1, b >> 1):
                if not gates.is_leaf(operand) and operand not in always:
                    always.add(operand)
                    todo.append(operand)
        return always

    def _visit(self, root: int, number: int, batch_of: dict[int, int], always: set[int], new: list[int]) -> None:
        gates = self.gates
        stack = [(root, False)]
        while stack:
            node, done = stack.pop()
            if gates.is_leaf(node) or self.chunk_of.get(node) == -1:
                continue
            if done:
                if node not in batch_of:
                    batch_of[node] = number
                    self._set_phase(node)
                    new.append(node)
                continue
            if node in batch_of:
                if batch_of[node] != number:
                    always.add(node)
                continue
            stack.append((node, True))
            _, a, b = gates.nodes[node]
            stack.append((b >> 1, False))
            stack.append((a >> 1, False))

    def _set_phase(self, node: int) -> None:
        kind, a, b = self.gates.nodes[node]
        a_sign, b_sign = self._sign(a), self._sign(b)
        self.phase[node] = a_sign ^ b_sign if kind == "xor" else a_sign & b_sign

    def _sign(self, literal: int) -> int:
        return (literal & 1) ^ self.phase.get(literal >> 1, 0)

    def _place_crossings(self, batches: list[_Batch]) -> None:
        """Values that another function reads get a place in T."""
        for batch in batches:
            for action, new in zip(batch.actions, batch.nodes, strict=True):
                used = [literal >> 1 for literal in action.literals]
                for node in new:
                    _, a, b = self.gates.nodes[node]
                    used += [a >> 1, b >> 1]
                for node in used:
                    if self.chunk_of.get(node, batch.chunk) != batch.chunk and node not in self.slot:
                        self.slot[node] = self.new_slot()

    # ---- text

    def _body(self, batches: list[_Batch], always: set[int]) -> str:
        self.chunk = batches[0].chunk
        leaves: set[int] = set()
        lines: list[str] = []
        for batch in batches:
            lines += self._batch(batch, always, leaves)
        return "\n".join(["    " + line for line in [*self.prelude(sorted(leaves)), *lines]])

    def _raw(self, node: int, leaves: set[int]) -> str:
        """The stored value of a node, as an operand."""
        if node == 0:
            return "ZERO"
        if self.gates.is_leaf(node):
            leaves.add(node)
            return self.leaf_text(node)
        return f"T[{self.slot[node]}]" if self.chunk_of[node] != self.chunk else f"v{node}"

    def _operand(self, literal: int, leaves: set[int]) -> str:
        """The true value of a literal."""
        if literal <= 1:
            return "ONES" if literal else "ZERO"
        text = self._raw(literal >> 1, leaves)
        return f"~{text}" if self._sign(literal) else text

    def _statement(self, node: int, leaves: set[int]) -> list[str]:
        kind, a, b = self.gates.nodes[node]
        a_text, b_text = self._raw(a >> 1, leaves), self._raw(b >> 1, leaves)
        a_sign, b_sign = self._sign(a), self._sign(b)
        if kind == "xor":
            text = f"{a_text} ^ {b_text}"
        elif a_sign and b_sign:
            text = f"{a_text} | {b_text}"
        elif a_sign or b_sign:
            text = f"~{a_text} & {b_text}" if a_sign else f"~{b_text} & {a_text}"
        else:
            text = f"{a_text} & {b_text}"
        lines = [f"const V v{node} = {text};"]
        if node in self.slot:
            lines.append(f"T[{self.slot[node]}] = v{node};")
        return lines

    def _batch(self, batch: _Batch, always: set[int], leaves: set[int]) -> list[str]:
        before: list[str] = []
        inside: list[str] = []
        start: list[str] = []
        conditional = any(batch.actions[0].condition)
        for action, new in zip(batch.actions, batch.nodes, strict=True):
            for node in new:
                crossing = node in self.slot
                place = inside if conditional and node not in always and not crossing else before
                place += self._statement(node, leaves)
            operands = []
            for literal in action.literals:
                text = self._operand(literal, leaves)
                if literal >> 1 in action.own:
                    inside.append(f"const V o{len(inside)} = {text};")
                    text = f"o{len(inside) - 1}"
                operands.append(text)
            inside += action.write(operands)
            start += action.start
        reset, enable, enable_first = batch.actions[0].condition
        if not conditional:
            return [*before, "{", *inside, "}"]
        body = ["{", *inside, "}"]
        if enable_first:
            return [*before, f"if ({enable}) {{ if ({reset}) {{", *start, "} else", *body, "}"]
        if enable:
            body = [f"if ({enable})", *body]
        if reset:
            body = [f"if ({reset}) {{", *start, "} else", *body]
        return [*before, *body]
