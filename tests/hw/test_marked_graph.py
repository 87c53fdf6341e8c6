"""Intervals, capacities and times of marked graphs against a plain simulation of them, cycle by cycle."""

import itertools
import random

import numpy as np
import pytest

from bitwright_hw.marked_graph import Actor, Link, MarkedGraph

FRAMES = 14


def simulated(graph, capacities, *, frames=FRAMES, stalls=0.0, seed=0, limit=100_000):
    """When each actor starts each firing of `frames` frames; in each cycle an actor rests with probability `stalls`.

    Knows nothing of schedules: buffers hold what was given a token and not yet released.
    """
    dice = random.Random(seed)
    starts = {actor.name: [] for actor in graph.actors}
    actors = {actor.name: actor for actor in graph.actors}
    makes = {link.name: link.makes.tolist() for link in graph.links}
    takes = {link.name: {int(firing): unit for unit, firing in enumerate(link.takes)} for link in graph.links}
    need = {link.name: link.need.tolist() for link in graph.links}
    last_reader = {
        link.name: [
            max(j for j, oldest in enumerate(link.oldest[:-1]) if oldest <= unit) for unit in range(units(link))
        ]
        for link in graph.links
    }
    taken = {link.name: 0 for link in graph.links}
    released = {link.name: 0 for link in graph.links}
    for now in range(-1, limit):
        for link in graph.links:  # rooms that are free from this cycle on
            taker = actors[link.taker]
            while released[link.name] < taken[link.name]:
                frame, unit = divmod(released[link.name], units(link))
                firing = frame * taker.firings + last_reader[link.name][unit]
                if firing >= len(starts[taker.name]):
                    break
                if starts[taker.name][firing] + taker.cycles + link.handover > now:
                    break
                released[link.name] += 1
        ready = []
        for actor in graph.actors:
            mine = starts[actor.name]
            if len(mine) == frames * actor.firings or now < (mine[-1] + actor.cycles if mine else actor.earliest):
                continue
            frame, firing = divmod(len(mine), actor.firings)
            into = [link for link in graph.links if link.taker == actor.name]
            out = [link for link in graph.links if link.giver == actor.name and firing in takes[link.name]]
            for link in into:
                giver, unit = actors[link.giver], need[link.name][firing]
                made = frame * giver.firings + makes[link.name][unit]
                if made >= len(starts[giver.name]) or starts[giver.name][made] + link.delay >= now:
                    break
            else:
                free = all(taken[link.name] - released[link.name] < capacities[link.name] for link in out)
                if free and dice.random() >= stalls:
                    ready.append((actor, out))
        for actor, out in ready:
            starts[actor.name].append(now)
            for link in out:
                taken[link.name] += 1
        if all(len(starts[actor.name]) == frames * actor.firings for actor in graph.actors):
            return starts
    raise AssertionError(f"the graph stands still: { ({name: len(found) for name, found in starts.items()}) }")


def units(link):
    return len(link.takes)


def random_link(dice, giver, taker):
    """Units of one firing each or of several; firings that need some, with a window of them kept."""
    count = dice.choice([1, giver.firings, dice.randint(1, giver.firings)])
    makes = [*sorted(dice.sample(range(giver.firings - 1), count - 1)), giver.firings - 1]
    takes = [0, *(firing + 1 for firing in makes[:-1])] if dice.random() < 0.5 else makes
    need = [*sorted(dice.randrange(count) for _ in range(taker.firings - 1)), count - 1]
    oldest = [0]
    for unit in need[1:]:
        oldest.append(max(oldest[-1], dice.randint(0, unit)))
    return Link(
        name=f"{giver.name}-{taker.name}",
        giver=giver.name,
        taker=taker.name,
        takes=np.array(takes),
        makes=np.array(makes),
        delay=dice.randint(0, 40),
        need=np.array(need),
        oldest=np.array([*oldest, count]),
        handover=dice.randint(0, 4),
    )


def random_graph(seed):
    """Three to six actors; each but the first has one to three links from earlier ones, so ways part and meet."""
    dice = random.Random(seed)
    actors = [
        Actor(name=f"a{k}", firings=dice.choice([1, 1, 2, 5, 12]), cycles=dice.randint(1, 9))
        for k in range(dice.randint(3, 6))
    ]
    links = []
    for k, actor in enumerate(actors[1:], 1):
        for giver in dice.sample(actors[:k], dice.randint(1, min(k, 3))):
            links.append(random_link(dice, giver, actor))
    return MarkedGraph(actors=tuple(actors), links=tuple(links))


@pytest.mark.parametrize("seeds", [range(40), range(40, 80)])
def test_interval_and_first_frame_of_random_graphs(seeds):
    """The interval is that of the slowest actor, and the first frame comes to the cycle."""
    forks = 0
    for seed in seeds:
        graph = random_graph(seed)
        capacities = graph.capacities()
        starts = simulated(graph, capacities)
        first = graph.first_frame(capacities)
        for actor in graph.actors:
            assert starts[actor.name][: actor.firings] == first[actor.name], (seed, actor.name)
        slowest = max(graph.actors, key=lambda actor: actor.work)
        times = starts[slowest.name][:: slowest.firings]
        assert times[-1] - times[-4] == 3 * graph.interval, seed
        givers = [link.giver for link in graph.links]
        forks += len(givers) > len(set(givers))
    assert forks > 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(80, 480, 100))
def test_more_random_graphs(first):
    test_interval_and_first_frame_of_random_graphs(range(first, first + 100))


@pytest.mark.parametrize("stalls", [0.3, 0.8])
def test_no_stalls_bring_a_graph_to_a_stop(stalls):
    for seed in range(12):
        graph = random_graph(seed)
        starts = simulated(graph, graph.capacities(), frames=4, stalls=stalls, seed=seed)
        assert all(len(starts[actor.name]) == 4 * actor.firings for actor in graph.actors)


def one_unit(name, giver, taker, delay, **options):
    none = np.zeros(1, np.int64)
    return Link(
        name=name,
        giver=giver,
        taker=taker,
        takes=none,
        makes=none,
        delay=delay,
        need=none,
        oldest=np.array([0, 1]),
        handover=1,
        **options,
    )


def diamond(capacity=None):
    """A fork whose one way takes 60 cycles longer than the other, and where they meet again."""
    actors = (
        Actor(name="fork", firings=1, cycles=10),
        Actor(name="long", firings=1, cycles=10),
        Actor(name="join", firings=1, cycles=10),
    )
    links = (
        one_unit("to long", "fork", "long", 30),
        one_unit("short", "fork", "join", 1, capacity=capacity),
        one_unit("from long", "long", "join", 30),
    )
    return MarkedGraph(actors=actors, links=links)


def test_the_shorter_way_has_room_for_the_difference():
    graph = diamond()
    capacities = graph.capacities()
    assert graph.first_frame(capacities)["join"] == [62]
    assert capacities["short"] == 8  # 73 cycles from its token until its room is free, 10 a frame
    starts = simulated(graph, capacities)["join"]
    assert all(later - sooner == 10 for sooner, later in itertools.pairwise(starts))


def test_with_less_room_it_is_slower():
    graph = diamond(capacity=7)
    starts = simulated(graph, graph.capacities())["join"]
    assert starts[-1] - starts[-8] == 73  # seven frames in the time of one round trip


def test_a_longer_interval_takes_less_room():
    graph = diamond()
    assert graph.capacities(100)["short"] == 1


def test_a_link_does_not_lead_back():
    a, b = (Actor(name=name, firings=1, cycles=1) for name in "ab")
    with pytest.raises(ValueError, match="link x leads back from b to a"):
        MarkedGraph(actors=(a, b), links=(one_unit("x", "b", "a", 1),))


def test_a_buffer_that_is_too_small_is_named():
    """Two units of one firing each are needed at once, and there is room for one."""
    two = np.arange(2)
    actors = (Actor(name="giver", firings=2, cycles=1), Actor(name="taker", firings=1, cycles=1))
    link = Link(
        name="b",
        giver="giver",
        taker="taker",
        takes=two,
        makes=two,
        delay=1,
        need=np.array([1]),
        oldest=np.array([0, 2]),
        handover=1,
    )
    graph = MarkedGraph(actors=actors, links=(link,))
    assert graph.capacities()["b"] >= 2
    with pytest.raises(ValueError, match="the graph stops at giver, taker: a buffer is too small"):
        graph.first_frame({"b": 1})
