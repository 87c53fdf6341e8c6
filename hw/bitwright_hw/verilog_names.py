"""Names without escapes: what Yosys writes as `\\o__valid$31 ` is called o__valid_31.

An escaped name is legal Verilog, but awkward in editors, waves, constraints and other tools' scripts. A dot between
modules, and between a structure and its field, becomes two underscores; any other sign becomes one.
"""

import re
from collections.abc import Collection

_ESCAPED = re.compile(r"\\(\S+) ")
_PLAIN = re.compile(r"[A-Za-z_]\w*")


class PlainNames:
    """A plain name for each escaped name of Verilog `text`, equal for equal names, new to the text.

    `kept` stay as they are: the ports of a top, which constraints and others' files name.
    """

    def __init__(self, text: str, *, kept: Collection[str] = ()):
        self.names: dict[str, str] = {}
        taken = set(_PLAIN.findall(text)) | set(kept)
        for name in sorted(set(_ESCAPED.findall(text)) - set(kept)):
            plain = plain_name(name)
            # Yosys escapes a keyword, too, which as it stands would be no name
            while plain in taken or plain == name:
                plain += "_"
            taken.add(plain)
            self.names[name] = plain

    def of(self, name: str) -> str:
        """The name in the text of what was called `name`."""
        return self.names.get(name, name)

    def applied(self, text: str) -> str:
        """`text` with the plain names in place of the escaped ones."""
        return _ESCAPED.sub(lambda found: self.names.get(found[1], found[0]), text)


def plain_name(name: str) -> str:
    """An identifier for `name`, before it is known whether another has it: a.b$1 gives a__b_1."""
    plain = re.sub(r"\W", "_", name.replace(".", "__"))
    return plain.lstrip("_") if plain.lstrip("_")[:1].isalpha() else f"n{plain}"
