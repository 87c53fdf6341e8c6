"""Marked graphs: the interval, capacities and exact times of actors that send each other units through buffers.

An actor fires a number of times a frame. A firing starts when what it needs was written into the buffers before it,
and when it has a token for what it makes: room in the buffers behind. A marked graph that may fire as early as it can
is never later than any schedule that it could follow (Commoner, Holt, Even, Pnueli 1971; Reiter 1968). So a schedule is
named, and each buffer is made as large as that one needs: in a graph whose interval is T, every actor starts its firing
j of N at floor(j T / N) after its first, and its first as early as its inputs allow. No actor works for more than T
cycles a frame, so that this is possible, and with these buffers nothing is slower than that: the interval is T, and no
stalls from outside bring the graph to a stop.

Nothing in this asks for a chain: an actor may have any number of links in and out, as long as they make no circle.
Where two ways meet again, the first firing waits for the longer one, so that the buffer on the shorter one is as large
as the difference asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import ceil_div

Index = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """What starts by itself: `firings` times a frame, each at least `cycles` after the one before.

    In the schedule, `burst` firings follow each other at once. `earliest` is when the first one may be in an
    idle graph.
    """

    name: str
    firings: int
    cycles: int
    burst: int = 1
    earliest: int = 0

    def __post_init__(self) -> None:
        if min(self.firings, self.cycles, self.burst) < 1 or self.firings % self.burst:
            raise ValueError(f"actor {self.name}: firings must be whole bursts, and all of them at least 1")

    @property
    def work(self) -> int:
        """Cycles a frame."""
        return self.firings * self.cycles

    def pace(self, interval: int) -> Index:
        """(firings,): when the schedule of this interval starts each firing, after the first."""
        bursts, within = np.divmod(np.arange(self.firings, dtype=np.int64), self.burst)
        return bursts * interval // (self.firings // self.burst) + within * self.cycles


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A buffer of units from actor `giver` to actor `taker`, by their names.

    Unit k takes its token with the giver's firing `takes[k]` and is written `delay` cycles after firing `makes[k]`
    starts. The taker's firing j starts a cycle after unit `need[j]` is written at the earliest, and needs no unit
    before `oldest[j]`; a unit's room is free `handover` cycles after the last firing that needs it has had its cycles.

    The buffer holds at least `least` units, and `slack` more than the schedule asks for, which allows each unit `late`
    cycles, or the time of `late_firings` of the giver's firings, beyond the giver's pace. With `capacity` its size is
    given; `room` says in place of it which firing of the taker must have released its room before unit k takes its
    token, or -1.
    """

    name: str
    giver: str
    taker: str
    takes: Index
    makes: Index
    delay: int
    need: Index
    oldest: Index
    handover: int
    least: int = 1
    slack: int = 0
    late: int = 0
    late_firings: int = 0
    capacity: int | None = None
    room: Index | None = None

    def readers(self, units: Index) -> Index:
        """The last firing of the taker that needs each of `units`."""
        return np.minimum(np.searchsorted(self.oldest, units, side="right") - 1, len(self.need) - 1)

    def waits_for(self, capacity: int) -> Index:
        """(units,): the firing of the taker that must have released its room before the unit's token, -1 for none, in a
        graph that was idle."""
        if self.room is not None:
            return self.room
        units = np.arange(len(self.takes), dtype=np.int64)
        return np.where(units < capacity, -1, self.readers(units - capacity))


@dataclass(frozen=True, kw_only=True)
class MarkedGraph:
    """Actors, in an order in which every link leads from an earlier one to a later one, and the links."""

    actors: tuple[Actor, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        order = {actor.name: place for place, actor in enumerate(self.actors)}
        if len(order) != len(self.actors):
            raise ValueError("two actors have one name")
        for link in self.links:
            if not order[link.giver] < order[link.taker]:
                raise ValueError(f"link {link.name} leads back from {link.giver} to {link.taker}")

    @property
    def interval(self) -> int:
        """Cycles from frame to frame in the steady state: those of the actor with the most work."""
        return max(actor.work for actor in self.actors)

    def capacities(self, interval: int | None = None) -> dict[str, int]:
        """Units that each link's buffer holds, so that the steady interval is `interval`, at least the graph's own."""
        interval = self.interval if interval is None else interval
        starts: dict[str, Index] = {}
        found: dict[str, int] = {}
        for actor in self.actors:
            into = [link for link in self.links if link.taker == actor.name]
            pace = actor.pace(interval)
            there = [_written(link, self._actor(link.giver), starts[link.giver], interval) for link in into]
            first = [int((when[link.need] + 1 - pace).max()) for link, when in zip(into, there, strict=True)]
            starts[actor.name] = pace + max([actor.earliest, *first])
            for link in into:
                found[link.name] = _capacity(link, actor, starts[link.giver], starts[actor.name], interval)
        return found

    def first_frame(self, capacities: dict[str, int]) -> dict[str, list[int]]:
        """When each actor starts each of its firings for a frame that comes to an idle graph."""
        starts: dict[str, list[int]] = {actor.name: [] for actor in self.actors}
        waits = {actor.name: self._waits(actor, capacities, starts) for actor in self.actors}
        moved = True
        while moved:
            moved = False
            for actor in self.actors:
                moved |= _advance(actor, starts[actor.name], waits[actor.name])
        stuck = [actor.name for actor in self.actors if len(starts[actor.name]) < actor.firings]
        if stuck:
            raise ValueError(f"the graph stops at {', '.join(stuck)}: a buffer is too small")
        return starts

    def _actor(self, name: str) -> Actor:
        return next(actor for actor in self.actors if actor.name == name)

    def _waits(
        self, actor: Actor, capacities: dict[str, int], starts: dict[str, list[int]]
    ) -> list[tuple[list[int], list[int], int]]:
        """What the firings of `actor` wait for: (starts of another actor, the firing of it or -1 for each of mine,
        cycles after it)."""
        found = []
        for link in self.links:
            if link.taker == actor.name:
                found.append((starts[link.giver], link.makes[link.need].tolist(), link.delay + 1))
            if link.giver == actor.name:
                after = np.full(actor.firings, -1, np.int64)
                np.maximum.at(after, link.takes, link.waits_for(capacities[link.name]))
                if (after >= 0).any():
                    taker = self._actor(link.taker)
                    found.append((starts[taker.name], after.tolist(), taker.cycles + link.handover))
        return found


def _written(link: Link, giver: Actor, starts: Index, interval: int) -> Index:
    """(units,): when the schedule has each unit of `link` in its buffer at the latest."""
    if link.late_firings:
        span = (link.makes - link.takes + link.late_firings) * interval // giver.firings
        return starts[link.takes] + span + link.delay + link.late
    return starts[link.makes] + link.delay + link.late


def _capacity(link: Link, taker: Actor, given: Index, taken: Index, interval: int) -> int:
    """Units that the buffer holds at the most while giver and taker start at these times in each interval."""
    if link.capacity is not None:
        return link.capacity
    if link.room is not None:
        return len(link.room)
    units = len(link.takes)
    tokens = given[link.takes]
    released = taken[link.readers(np.arange(units, dtype=np.int64))] + taker.cycles + link.handover
    # a unit of this frame, and all of the frames before whose room is not released when its token is taken
    frames = max(0, ceil_div(int(released[-1] - tokens[0]), interval)) + 2
    earlier = (released[None, :] - interval * np.arange(frames, 0, -1)[:, None]).reshape(-1)
    free = np.searchsorted(np.append(earlier, released), tokens, side="right")
    kept = np.arange(units) + frames * units + 1 - free
    return max(int(kept.max()), link.least) + link.slack


def _advance(actor: Actor, mine: list[int], waits: Sequence[tuple[list[int], list[int], int]]) -> bool:
    """Adds the firings of `actor` whose times follow from those known; whether there were any."""
    count = len(mine)
    time = mine[-1] + actor.cycles if mine else actor.earliest
    for k in range(count, actor.firings):
        for other, firing, after in waits:
            j = firing[k]
            if j >= len(other):
                return k > count
            if j >= 0 and other[j] + after > time:
                time = other[j] + after
        mine.append(time)
        time += actor.cycles
    return actor.firings > count
