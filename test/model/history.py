"""Is there an order of calls that explains what all of them answered?

A history has, for each thing that calls share (a balance, an option's stock, a coupon), what
they did to it and what they saw of it, each at some moment between two times that are known.
It is explained if there is one moment for each so that one after the other could be: the
things are looked at one by one, after Wing and Gong, "Testing and verifying concurrent
objects" (1993).
"""
from math import inf

IMPOSSIBLE = object()
STATES = 100  # that are tried, for each act at most


# ---- what is done to a thing, and seen of it: the state after it, or IMPOSSIBLE ----


def add(state, amount, after=None):
    """Of a number, None being nothing yet; it is never below 0."""
    new = (state or 0) + amount
    is_possible = new >= 0 and after in (None, new) and (state is not None or amount > 0)
    return new if is_possible else IMPOSSIBLE


def is_short(state, requested, available):
    return state if state is not None and state == available < requested else IMPOSSIBLE


def has(state, amount):
    return state if state is not None and state >= amount else IMPOSSIBLE


def equals(state, value):
    return state if state == value else IMPOSSIBLE


def go(state, sources, target):
    """Of what has one of a few states."""
    return target if state in sources else IMPOSSIBLE


def is_one_of(state, states):
    return state if state in states else IMPOSSIBLE


def stands_for(state, arguments, answer):
    """Of a key: the first call with it says what it stands for."""
    return (arguments, answer) if state in (None, (arguments, answer)) else IMPOSSIBLE


def stands_for_other(state, arguments):
    return state if state is not None and state[0] != arguments else IMPOSSIBLE


# ---- histories ----


class History:
    def __init__(self):
        self.first, self.things = {}, {}

    def begin(self, thing, state):
        self.first[thing] = state

    def record(self, thing, begin, end, act, *arguments):
        self.things.setdefault(thing, []).append((begin, end, act, arguments))

    def unexplained(self):
        """For each thing that has no such order, a line that says where it ends."""
        for thing in sorted(self.things, key=str):
            stuck = explain(self.first.get(thing), self.things[thing])
            if stuck:
                yield f"{thing}: {stuck}"


def candidates(acts, first, done):
    """Which can be next: those that began before any other one has ended."""
    limit, found = inf, []
    for number in range(first, len(acts)):
        if acts[number][0] > limit:
            break
        if number not in done:
            limit = min(limit, acts[number][1])
            found.append(number)
    return [number for number in found if acts[number][0] <= limit]


def explain(state, acts):
    """None, or how far it goes."""
    acts = sorted(acts, key=lambda act: act[:2])
    stack, seen, furthest = [(0, frozenset(), state)], set(), (-1, None)
    while stack:
        first, done, state = stack.pop()
        while first in done:
            done, first = done - {first}, first + 1
        if first == len(acts):
            return None
        if (first, done, state) in seen:
            continue
        seen.add((first, done, state))
        if len(seen) > STATES * (len(acts) + 1000):
            return "there are too many orders to try"
        after = [(number, acts[number][2](state, *acts[number][3])) for number in candidates(acts, first, done)]
        furthest = max(furthest, (first + len(done), f"{state}, and then none of " + ", ".join(
            f"{acts[number][2].__name__}{acts[number][3]}" for number, _ in after)), key=lambda way: way[0])
        after = [(number, new) for number, new in after if new is not IMPOSSIBLE]
        # What changes nothing can as well be at once.
        after = [(number, new) for number, new in after if new == state][:1] or after
        after.sort(key=lambda way: -acts[way[0]][1])
        stack += [(first, done | {number}, new) for number, new in after]
    return f"after {furthest[0]} of {len(acts)}: {furthest[1]}"
