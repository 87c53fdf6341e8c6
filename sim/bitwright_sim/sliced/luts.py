"""A truth table of up to six inputs as few gates: XORs of pairs, counts by full adders, and what is left by Shannon."""

from functools import lru_cache
from itertools import combinations

from bitwright_sim.sliced.gates import FALSE, TRUE, Gates

_VARIABLES = [
    sum(1 << row for row in range(64) if row >> variable & 1) for variable in range(6)
]  # row's bit `variable` by row


def _full(count: int) -> int:
    return (1 << (1 << count)) - 1


def _cofactor(table: int, count: int, variable: int, value: int) -> int:
    """The table over the other inputs with one of them fixed."""
    result = at = 0
    for row in range(1 << count):
        if (row >> variable & 1) == value:
            result |= (table >> row & 1) << at
            at += 1
    return result


@lru_cache(maxsize=1 << 16)
def cofactors(table: int, count: int, variable: int) -> tuple[int, int]:
    return _cofactor(table, count, variable, 0), _cofactor(table, count, variable, 1)


def _flip(table: int, count: int, variable: int) -> int:
    """The table with an input complemented."""
    mask, step = _VARIABLES[variable] & _full(count), 1 << variable
    return (table & mask) >> step | (table & ~mask & _full(count)) << step


@lru_cache(maxsize=1 << 16)
def _xor_pairs(table: int, count: int) -> tuple[tuple[int, int], ...]:
    """Pairs of inputs of which the table sees the XOR alone."""
    found = []
    for i, j in combinations(range(count), 2):
        zero, one = cofactors(table, count, j)
        if cofactors(zero, count - 1, i) == tuple(reversed(cofactors(one, count - 1, i))):
            found.append((i, j))
    return tuple(found)


def _merged(table: int, count: int, i: int, j: int) -> int:
    """The table in which input i stands for the XOR of inputs i and j, and j is gone (i < j)."""
    return cofactors(table, count, j)[0]


@lru_cache(maxsize=1 << 16)
def _symmetric(table: int, count: int) -> tuple[int, tuple[int, ...]] | None:
    """Which inputs to complement so that the number of ones decides, and the values by it; None if it does not."""
    for flips in range(1 << (count - 1)):
        flipped = table
        for variable in range(count):
            if flips >> variable & 1:
                flipped = _flip(flipped, count, variable)
        values: list[int | None] = [None] * (count + 1)
        for row in range(1 << count):
            ones, value = row.bit_count(), flipped >> row & 1
            if values[ones] is None:
                values[ones] = value
            elif values[ones] != value:
                break
        else:
            return flips, tuple(int(bool(value)) for value in values)
    return None


@lru_cache(maxsize=1 << 16)
def _cost(table: int, count: int) -> int:
    """About how many gates a table takes by Shannon's expansion."""
    if table in (0, _full(count)) or count == 1:
        return 0
    if count == 2:
        return 1 if table not in (0b1010, 0b1100, 0b0101, 0b0011) else 0
    return min(_split_cost(table, count, variable) for variable in range(count))


def _split_cost(table: int, count: int, variable: int) -> int:
    zero, one = cofactors(table, count, variable)
    full = _full(count - 1)
    if zero == one:
        return _cost(zero, count - 1)
    if one == zero ^ full:
        return 1 + _cost(zero, count - 1)
    constants = sum(half in (0, full) for half in (zero, one))
    return (3, 1, 0)[constants] + _cost(zero, count - 1) + _cost(one, count - 1)


def lut(gates: Gates, table: int, inputs: list[int]) -> int:
    """The literal of bit sum(inputs[i] << i) of `table`."""
    inputs = list(inputs)
    # constants, inputs given twice, complemented inputs and inputs without effect go first
    index = 0
    while index < len(inputs):
        count, literal = len(inputs), inputs[index]
        zero, one = cofactors(table, count, index)
        if literal in (FALSE, TRUE) or zero == one:
            table = one if literal == TRUE else zero
            del inputs[index]
            index = 0  # what was looked at may have lost its effect
            continue
        twin = next((k for k in range(index) if inputs[k] >> 1 == literal >> 1), None)
        if twin is not None:
            if inputs[twin] != literal:
                table = _flip(table, count, index)
            table = _identified(table, count, twin, index)
            del inputs[index]
            index = 0
            continue
        if literal & 1:
            table, inputs[index] = _flip(table, count, index), literal ^ 1
        index += 1
    count = len(inputs)
    if count == 0:
        return table & 1
    if count == 1:
        return inputs[0] ^ (table == 0b01)
    order = sorted(range(count), key=lambda k: inputs[k])
    if order != list(range(count)):
        table, inputs = _permuted(table, count, tuple(order)), [inputs[k] for k in order]
    key = ("lut", table, *inputs)
    known = gates.known
    if key not in known:
        known[key] = _decomposed(gates, table, inputs)
    return known[key]


def _identified(table: int, count: int, i: int, j: int) -> int:
    """The table without input j, which always equals input i (i < j)."""
    result = at = 0
    for row in range(1 << count):
        if not row >> j & 1:
            source = row | (row >> i & 1) << j
            result |= (table >> source & 1) << at
            at += 1
    return result


@lru_cache(maxsize=1 << 16)
def _permuted(table: int, count: int, order: tuple[int, ...]) -> int:
    """The table whose input k is input order[k] of the given one."""
    result = 0
    for row in range(1 << count):
        source = sum((row >> k & 1) << order[k] for k in range(count))
        result |= (table >> source & 1) << row
    return result


def _decomposed(gates: Gates, table: int, inputs: list[int]) -> int:
    count = len(inputs)
    if count == 2:
        return _two(gates, table, *inputs)
    pairs = _xor_pairs(table, count)
    known = next(((i, j) for i, j in pairs if gates.has_xor(inputs[i], inputs[j])), None)
    # the parity of all is left to the counter below, whose other digits may be asked for as well
    if pairs and (known is not None or count == 3 or len(pairs) < count * (count - 1) // 2):
        i, j = known or pairs[0]
        left = list(inputs)
        left[i] = gates.xor(inputs[i], inputs[j])
        del left[j]
        return lut(gates, _merged(table, count, i, j), left)
    symmetric = _symmetric(table, count)
    if symmetric is not None:
        flips, values = symmetric
        return _counted(gates, values, [literal ^ (flips >> k & 1) for k, literal in enumerate(inputs)])
    variable = min(range(count), key=lambda k: _split_cost(table, count, k))
    zero, one = cofactors(table, count, variable)
    rest = [literal for k, literal in enumerate(inputs) if k != variable]
    if one == zero ^ _full(count - 1):
        return gates.xor(inputs[variable], lut(gates, zero, rest))
    return gates.mux(inputs[variable], lut(gates, one, rest), lut(gates, zero, rest))


def _two(gates: Gates, table: int, a: int, b: int) -> int:
    if table in (0b0110, 0b1001):
        return gates.xor(a, b) ^ (table == 0b1001)
    ones = [row for row in range(4) if table >> row & 1]
    if len(ones) == 1:
        return gates.and_(a ^ (~ones[0] & 1), b ^ (~ones[0] >> 1 & 1))
    if len(ones) == 3:
        hole = next(row for row in range(4) if not table >> row & 1)
        return gates.and_(a ^ (~hole & 1), b ^ (~hole >> 1 & 1)) ^ 1
    raise AssertionError(f"table {table:#x} of two inputs does not depend on both")


def _counted(gates: Gates, values: tuple[int, ...], inputs: list[int]) -> int:
    """`values` by the number of ones among three to six inputs."""
    ones, carries = gates.full_adder(*inputs[:3])
    rest, twos = inputs[3:], [carries]
    while rest:
        third = rest[2] if len(rest) == 3 else FALSE
        if len(rest) == 2:
            ones, carry = gates.full_adder(ones, *rest)
        else:
            if len(rest) == 3:
                part, carry = gates.full_adder(rest[0], rest[1], third)
                twos.append(carry)
            else:
                part = rest[0]
            ones, carry = gates.xor(ones, part), gates.and_(ones, part)
        twos.append(carry)
        rest = []
    if len(twos) == 1:
        digits = [ones, twos[0]]
    elif len(twos) == 2:
        digits = [ones, gates.xor(*twos), gates.and_(*twos)]
    else:
        digits = [ones, *gates.full_adder(*twos)]
    # numbers that cannot occur are free: the cheapest completion
    size = len(digits)
    free = list(range(len(values), 1 << size))
    fixed = sum(value << number for number, value in enumerate(values))
    best = min(
        (
            fixed | sum(1 << number for k, number in enumerate(free) if choice >> k & 1)
            for choice in range(1 << len(free))
        ),
        key=lambda table: _cost(table, size),
    )
    return _plain(gates, best, digits)


def _plain(gates: Gates, table: int, inputs: list[int]) -> int:
    """A small table by Shannon's expansion alone (counts of counts must not be counted again)."""
    count = len(inputs)
    if table in (0, _full(count)):
        return int(table != 0)
    if count == 1:
        return inputs[0] ^ (table == 0b01)
    variable = min(range(count), key=lambda k: _split_cost(table, count, k))
    zero, one = cofactors(table, count, variable)
    rest = [literal for k, literal in enumerate(inputs) if k != variable]
    if zero == one:
        return _plain(gates, zero, rest)
    if one == zero ^ _full(count - 1):
        return gates.xor(inputs[variable], _plain(gates, zero, rest))
    return gates.mux(inputs[variable], _plain(gates, one, rest), _plain(gates, zero, rest))
