"""Interning, keys, walks and substitution."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from planner.graph import Graph, Node, Op, Plane, substitute, walk


@dataclass(frozen=True)
class Leaf(Op):
    name: str


@dataclass(frozen=True)
class Sum(Op):
    factor: float = 1.0


@dataclass(frozen=True)
class Relation(Op):
    name: str
    plane: ClassVar[Plane] = Plane.TABLE


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[Node]]:
    """A graph of a dozen nodes and some of them as outputs."""
    graph = Graph()
    made = [graph.node(Leaf(name)) for name in "ab"]
    for _ in range(draw(st.integers(0, 10))):
        inputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3))
        made.append(graph.node(Sum(draw(st.sampled_from([1.0, 2.0]))), *inputs))
    return graph, draw(st.lists(st.sampled_from(made), min_size=1, max_size=4))


def reachable(outputs: Iterable[Node]) -> set[str]:
    found: set[str] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        found.add(node.key)
        stack.extend(node.inputs)
    return found


def test_the_same_op_on_the_same_inputs_is_one_node() -> None:
    graph = Graph()
    a, b = graph.node(Leaf("a")), graph.node(Leaf("b"))
    assert graph.node(Leaf("a")) is a
    assert graph.node(Sum(), a, b) is graph.node(Sum(), a, b)
    assert len(graph) == 3


def test_keys_tell_ops_fields_and_the_order_of_inputs_apart() -> None:
    graph = Graph()
    a, b = graph.node(Leaf("a")), graph.node(Leaf("b"))
    different = [
        a,
        b,
        graph.node(Relation("a")),
        graph.node(Sum(), a, b),
        graph.node(Sum(), b, a),
        graph.node(Sum(), a),
        graph.node(Sum(), a, a),
        graph.node(Sum(2.0), a, b),
    ]
    assert len({node.key for node in different}) == len(different)


def test_a_key_depends_on_content_alone() -> None:
    one, two = Graph(), Graph()
    two.node(Leaf("before"))
    keys = [g.node(Sum(0.5), g.node(Leaf("é"))).key for g in (one, two)]
    assert keys[0] == keys[1]


def test_the_salt_reaches_every_key() -> None:
    keys = [g.node(Sum(), g.node(Leaf("a"))).key for g in (Graph("1"), Graph("2"))]
    assert keys[0] != keys[1]


def test_a_raised_version_changes_the_key() -> None:
    @dataclass(frozen=True)
    class Versioned(Op):
        name: str

    graph = Graph()
    before = graph.node(Versioned("a"))
    Versioned.version = 2
    assert graph.node(Versioned("a")).key != before.key


@given(graphs())
def test_walk_gives_each_node_once_and_inputs_first(made: tuple[Graph, list[Node]]) -> None:
    _, outputs = made
    keys = [node.key for node in walk(outputs)]
    assert len(keys) == len(set(keys))
    assert set(keys) == reachable(outputs)
    place = {key: index for index, key in enumerate(keys)}
    for node in walk(outputs):
        assert all(place[source.key] < place[node.key] for source in node.inputs)


@given(graphs())
def test_walk_leaves_out_what_was_seen(made: tuple[Graph, list[Node]]) -> None:
    _, outputs = made
    seen: set[str] = set()
    together = [node.key for output in outputs for node in walk([output], seen)]
    assert together == [node.key for node in walk(outputs)]
    assert seen == set(together)


def test_walk_can_leave_out_relations() -> None:
    graph = Graph()
    table = graph.node(Relation("t"))
    top = graph.node(Sum(), graph.node(Leaf("a")), table)
    assert table in list(walk([top]))
    assert table not in list(walk([top], tables=False))


@given(graphs(), st.data())
def test_substitution_rebuilds_consumers_and_keeps_the_rest(
    made: tuple[Graph, list[Node]], data: st.DataObject
) -> None:
    graph, outputs = made
    old = data.draw(st.sampled_from(sorted(walk(outputs), key=lambda node: node.key)))
    fresh = graph.node(Leaf("fresh"))
    new = substitute(graph, outputs, lambda node: fresh if node is old else None)
    assert set(new) == reachable(outputs)
    for node in walk(outputs):
        if old.key not in reachable([node]):
            assert new[node.key] is node
        else:
            assert old.key not in reachable([new[node.key]])
            assert fresh.key in reachable([new[node.key]])


def test_substituting_nothing_changes_nothing() -> None:
    graph = Graph()
    top = graph.node(Sum(), graph.node(Leaf("a")))
    assert substitute(graph, [top], lambda node: None)[top.key] is top
