"""A proof as data: what is built, with which parameters, how far it is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitwright_hw.families import Family
from tests.proofs.engine import Outcome, prove
from tests.proofs.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Proof:
    """`build(spec, **arguments)` says what is claimed of `components`, classes of hw/ by name; or `check(**arguments)`
    looks at their netlist.

    The claims hold in every cycle; with `steps`, that many cycles from any state and a reset were looked at. With
    `settles`, there is no reset at all: from any state, all is right `settles` cycles later, and so for ever. `equal`
    ones have no state: all inputs were looked at. `quick` proofs are those that continuous integration runs. `reach` is
    how many cycles are searched for what must be possible, `limit` the solver's seconds.
    """

    group: str
    case: str
    components: tuple[str, ...]
    build: Callable[..., None] | None = None
    check: Callable[..., Outcome] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    settles: int | None = None
    equal: bool = False
    resets: bool = True
    quick: bool = False
    reach: int = 40
    limit: int = 900
    family: Family | None = None

    def __post_init__(self) -> None:
        if (self.build is None) == (self.check is None):
            raise ValueError("a proof builds a spec or checks a netlist")
        if sum((self.steps is not None, self.settles is not None, self.equal)) > 1:
            raise ValueError("a proof is of one kind alone")

    @property
    def name(self) -> str:
        return f"{self.group}/{self.case}"

    @property
    def method(self) -> str:
        """How far it holds, in words."""
        if self.check is not None:
            return "structure"
        if self.equal:
            return "all inputs"
        if self.settles is not None:
            return "always (from any state)"
        return "always" if self.steps is None else f"{self.steps} cycles"

    def spec(self) -> Spec:
        assert self.build is not None  # what checks a netlist has no spec
        spec = Spec(resets=self.resets and self.settles is None and not self.equal, start=self.settles is None)
        self.build(spec, **self.arguments)
        return spec

    def run(self, *, folder: Path | None = None) -> Outcome:
        if self.check is not None:
            return self.check(**self.arguments)
        steps = 1 if self.equal else self.settles if self.settles is not None else self.steps
        models = self.family.simulation_models if self.family else ()
        return prove(self.spec(), steps=steps, reach=self.reach, limit=self.limit, folder=folder, models=models)


def cases(group: str, /, *components: str, build: Callable[..., None], **every: Any) -> Callable[..., Proof]:
    """What makes the proofs of a group: `case(name, quick=..., steps=..., **arguments of build)`."""
    own = {"steps", "settles", "equal", "resets", "quick", "reach", "limit", "family"}

    def case(label: str, /, **settings: Any) -> Proof:
        both = {**every, **settings}
        return Proof(
            group=group,
            case=label,
            components=components,
            build=build,
            arguments={key: value for key, value in both.items() if key not in own},
            **{key: value for key, value in both.items() if key in own},
        )

    return case
