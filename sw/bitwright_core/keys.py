"""What is wrong with the keys of TOML or JSON that a user wrote: unknown ones, and values that are none of a few.

msgspec ignores unknown keys of dataclasses, and of a wrong choice it names the value alone. `first_mistake` walks the
plain values beside the type that they are for, and tells the place, the near miss and what there is.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from bitwright_core.near import did_you_mean

_Table = msgspec.inspect.DataclassType | msgspec.inspect.StructType


def first_mistake(values: object, kind: Any) -> str | None:
    """One sentence about the first unknown key or wrong choice in `values`, which are for type `kind`; else None."""
    return next(_mistakes(values, msgspec.inspect.type_info(kind), ""), None)


def _mistakes(value: object, kind: msgspec.inspect.Type, place: str) -> Iterator[str]:
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            yield from _mistakes(value, inner, place)
        case msgspec.inspect.DataclassType() | msgspec.inspect.StructType() if isinstance(value, dict):
            yield from _table(value, kind, place)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            if isinstance(value, list | tuple):
                for k, part in enumerate(value):
                    yield from _mistakes(part, item, f"{place}[{k}]")
        case msgspec.inspect.LiteralType(values=choices) if isinstance(value, str):
            yield from _choice(value, [str(choice) for choice in choices], place)
        case msgspec.inspect.UnionType(types=types):
            yield from _union(value, [part for part in types if _takes(value, part)], place)


def _takes(value: object, kind: msgspec.inspect.Type) -> bool:
    """Whether `value` is for this member of a union: tables for tables, texts for choices."""
    if isinstance(value, dict):
        return isinstance(kind, _Table)
    return isinstance(value, str) and isinstance(kind, msgspec.inspect.LiteralType)


def _union(value: object, kinds: list[msgspec.inspect.Type], place: str) -> Iterator[str]:
    tags = {str(kind.tag): kind for kind in kinds if isinstance(kind, msgspec.inspect.StructType) and kind.tag}
    if isinstance(value, dict) and tags:
        field = next(kind.tag_field for kind in kinds if isinstance(kind, msgspec.inspect.StructType))
        tag = value.get(str(field))
        if isinstance(tag, str):
            yield from _choice(tag, list(tags), _below(place, str(field)))
            if tag in tags:
                yield from _mistakes(value, tags[tag], place)
    elif len(kinds) == 1:
        yield from _mistakes(value, kinds[0], place)


def _table(values: dict[Any, Any], kind: _Table, place: str) -> Iterator[str]:
    fields = {field.encode_name: field.type for field in kind.fields}
    tag = [kind.tag_field] if isinstance(kind, msgspec.inspect.StructType) and kind.tag_field else []
    known = [*tag, *fields]
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        told = ", ".join(f"{_below(place, key)}{did_you_mean(key, known)}" for key in unknown)
        yield f"unknown key {told}; the keys {'there ' if place else ''}are {', '.join(known)}"
    for key, value in values.items():
        if key in fields:
            yield from _mistakes(value, fields[key], _below(place, str(key)))


def _choice(value: str, choices: list[str], place: str) -> Iterator[str]:
    if value not in choices:
        yield f"{place} must be one of {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}"


def _below(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
