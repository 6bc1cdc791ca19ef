"""The logical IR: an operation and the nodes it reads, interned by a content key.

Input: ops and inputs. Output: nodes, where equality is identity, so that merging the pipelines
of a batch (or of several agents) costs a dictionary look-up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, ClassVar


class Plane(Enum):
    """How many values a node stands for."""

    TABLE = "table"  # a relation, evaluated by the data backend
    WHOLE = "whole"  # one value for all rows: a target vector, the fold indices, a column block
    FOLD = "fold"  # one value per fold of the split it hangs on


class Role(Enum):
    """What a node is to the lowering, which makes tasks of nodes."""

    INPUT = "input"  # cheap: computed in every task that reads it
    SPLIT = "split"  # computed with the table it splits, and kept
    FEATURES = "features"  # kept where several tasks read it, else part of the one that does
    FIT = "fit"  # has a task of its own, per fold where it is of the fold plane
    ANSWER = "answer"  # computed in the task of the fit it comes from
    SCORE = "score"  # computed with the answer, and reported


@dataclass(frozen=True)
class Op:
    """What a node does; the payload, apart from the wiring.

    Subclasses are frozen dataclasses whose fields have a deterministic ``repr`` that shows
    everything the result depends on (fields that do not matter are declared ``repr=False``).
    `version` is raised whenever the meaning of an op changes, so that stored results of the
    old meaning are not found again.
    """

    version: ClassVar[int] = 1
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.INPUT
    kept: ClassVar[bool] = False  # of an answer: whether its value becomes a block

    @property
    def optional(self) -> int:
        """How many of the last inputs may have failed: the op is given their errors then, and only
        what it makes of them fails."""
        return 0

    @property
    def label(self) -> str:
        """The op in a few words, for explain."""
        return type(self).__name__

    @property
    def subject(self) -> str:
        """What an error message calls the thing that failed."""
        return type(self).__name__


class Node:
    """An op applied to input nodes. Made only by `Graph.node`; compared by identity."""

    __slots__ = ("inputs", "key", "op")

    def __init__(self, op: Op, inputs: tuple["Node", ...], key: str) -> None:
        self.op = op
        self.inputs = inputs
        self.key = key

    @property
    def plane(self) -> Plane:
        return self.op.plane

    def __repr__(self) -> str:
        return f"Node({self.op!r}, key={self.key[:8]})"


class Graph:
    """The interning table of one planning pass: the same op on the same inputs is one node.

    `salt` enters every key: results of other library versions are not found again. `memo` is
    where the passes keep what they found out about nodes, each under its own name.
    """

    def __init__(self, salt: str = "") -> None:
        self.memo: dict[str, dict[Any, Any]] = {}
        self._salt = salt.encode()
        self._nodes: dict[str, Node] = {}

    def node(self, op: Op, *inputs: Node) -> Node:
        """The node for `op` on `inputs`, made on first use.

        The key is BLAKE2b-128 (hex) over the op's name, version and fields, and the input keys.
        """
        digest = blake2b(self._salt if not inputs else b"", digest_size=16)
        digest.update(f"{type(op).__name__}/{op.version}\0{op!r}".encode())
        for source in inputs:
            digest.update(b"\0")
            digest.update(source.key.encode())
        key = digest.hexdigest()
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = Node(op, inputs, key)
        return found

    def __len__(self) -> int:
        return len(self._nodes)


def inputs_of(node: Node) -> Sequence[Node]:
    return node.inputs


def walk(
    outputs: Iterable[Node],
    seen: set[str] | None = None,
    *,
    tables: bool = True,
    sources: Callable[[Node], Sequence[Node]] = inputs_of,
) -> Iterator[Node]:
    """Every node that `outputs` need, each once, inputs before consumers.

    Nodes in `seen` (by key) are left out, with what only they need; what is visited is added.
    Without `tables`, relations are left out. `sources` says what a node needs.
    """
    seen = set() if seen is None else seen
    for output in outputs:
        stack: list[tuple[Node, bool]] = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
                continue
            if node.key in seen or (node.plane is Plane.TABLE and not tables):
                continue
            seen.add(node.key)
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(sources(node)))


def substitute(
    graph: Graph, outputs: Sequence[Node], replace: Callable[[Node], Node | None]
) -> dict[str, Node]:
    """What becomes of every node under `outputs` (by key) when `replace` is applied bottom-up
    to each of them; None keeps a node, on its new inputs."""
    new: dict[str, Node] = {}
    for node in walk(outputs):
        inputs = tuple(new[source.key] for source in node.inputs)
        same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        rebuilt = node if same else graph.node(node.op, *inputs)
        changed = replace(rebuilt)
        new[node.key] = rebuilt if changed is None else changed
    return new
