"""How the header of a network file says what number type an operator takes."""

import msgspec

from bitwright_core.checks import MAX_INTEGER_BITS
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType, signed_type


class NumberFacts(msgspec.Struct, forbid_unknown_fields=True):
    """A number type in the header of a file of version 3: kind and bits."""

    kind: str
    bits: int


def number_facts(takes: NumberType) -> tuple[int, NumberFacts | None]:
    """`integer_bits` and `takes` of an operator's facts; integer_bits 0 alone: it takes bits."""
    if takes == BINARY:
        return 0, None
    if takes == signed_type(takes.bits):
        return takes.bits, None
    return 0, NumberFacts(kind=takes.kind, bits=takes.bits)


def number_type(integer_bits: int, takes: NumberFacts | None) -> NumberType:
    """The inverse of `number_facts`. Raises NetworkError."""
    if takes is not None:
        if integer_bits:
            raise NetworkError("a layer takes one number type: integer_bits and takes cannot both be given")
        return NumberType(kind=takes.kind, bits=takes.bits)
    if not 0 <= integer_bits <= MAX_INTEGER_BITS:
        raise NetworkError(f"integers of {integer_bits} bits; at most {MAX_INTEGER_BITS} can be taken")
    return signed_type(integer_bits) if integer_bits else BINARY


def weight_facts(number: NumberType) -> NumberFacts | None:
    """`weight_type` of an operator's facts; None for bits that stand for -1 and +1."""
    return None if number == BINARY else NumberFacts(kind=number.kind, bits=number.bits)


def weight_number(facts: NumberFacts | None) -> NumberType:
    """The inverse of `weight_facts`. Raises NetworkError."""
    return BINARY if facts is None else NumberType(kind=facts.kind, bits=facts.bits)


def number_version(takes: NumberType) -> int:
    """The lowest version of the network file that can say `takes`."""
    return 1 if number_facts(takes)[1] is None else 3
