"""A picture of a plan: the work of a batch before and after planning, collapsed by kind.

Input: what was asked for, with the score nodes before and after the rules. Output: SVG text.
Nodes of one kind (a transformer, an estimator, a metric) are one box with their number, so that
200 pipelines are as legible as two; colour says what became of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from planner.compile import Answer
from planner.graph import Node, Plane, Role, walk
from planner.ops import Fit
from planner.tableops import Scan

_STAGES = ("Data", "Features", "Models", "Scores")
_MOST = 12  # boxes in a column
_WIDTH, _BOX, _HIGH, _GAP = 1180, 230, 30, 8
_LEFT, _TOP = 30, 74
_STEP = (_WIDTH - 2 * _LEFT - _BOX) / (len(_STAGES) - 1)
_INK, _FAINT, _LINE = "#1f2933", "#616e7c", "#9aa5b1"
# Box colours: fill, border.
_OWN = ("#f1f3f5", "#9aa5b1")
_SHARED = ("#dbeafe", "#2563eb")
_GROUPED = ("#ffedd5", "#ea580c")
_LEGEND = ((_OWN, "for one pipeline"), (_SHARED, "done once for several"),
           (_GROUPED, "one run in place of several fits"))  # fmt: skip


@dataclass
class _Box:
    """Nodes of one kind: how many, for how many pipelines in sum, and whether they are groups."""

    stage: int
    title: str
    nodes: int = 0
    uses: int = 0
    grouped: bool = False

    @property
    def colours(self) -> tuple[str, str]:
        if self.grouped:
            return _GROUPED
        return _SHARED if self.uses > self.nodes else _OWN


@dataclass
class _Picture:
    boxes: dict[tuple[int, str], _Box] = field(default_factory=dict)
    edges: Counter[tuple[tuple[int, str], tuple[int, str]]] = field(default_factory=Counter)

    @property
    def nodes(self) -> int:
        return sum(box.nodes for box in self.boxes.values())


def plan_svg(answers: Sequence[Answer]) -> str:
    """One SVG document: above, every pipeline for itself; below, what is done for all of them."""
    pipelines = len({p for answer in answers for p in answer.pipelines})
    alone = _collapsed([(a.before, a.pipelines) for a in answers], alone=True)
    planned = _collapsed([(a.after, a.pipelines) for a in answers], alone=False)
    upper, lower = _height(alone), _height(planned)
    high = _TOP + upper + lower + 110
    count = f"{pipelines:,} pipeline" + ("" if pipelines == 1 else "s")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {high}" '
        f'width="{_WIDTH}" height="{high}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{high}" fill="#ffffff"/>',
        _text(_LEFT, 30, f"The plan of {count}", size=18, bold=True),
        *_legend(_WIDTH - _LEFT, 30),
        *_panel(alone, _TOP, f"Each pipeline alone: {alone.nodes:,} steps"),
        *_panel(planned, _TOP + upper + 60, _planned(alone, planned)),
        "</svg>",
    ]
    return "\n".join(parts)


def _planned(alone: _Picture, planned: _Picture) -> str:
    ratio = alone.nodes / planned.nodes if planned.nodes else 1.0
    return f"Planned together: {planned.nodes:,} steps, {ratio:.1f} times fewer"


def _collapsed(outputs: Sequence[tuple[Node, tuple[int, ...]]], *, alone: bool) -> _Picture:
    """Boxes and edges; if `alone`, a node counts once for each pipeline that needs it."""
    nodes = list(walk(node for node, _ in outputs))
    users: defaultdict[str, int] = defaultdict(int)
    for node, pipelines in outputs:
        for position in pipelines:
            users[node.key] |= 1 << position
    for node in reversed(nodes):
        for source in node.inputs:
            users[source.key] |= users[node.key]
    shown = [(node, kind) for node in nodes if (kind := _box_of(node)) is not None]
    common = Counter(kind for _, kind in shown)
    place = _places(common)
    picture = _Picture()
    for node, kind in shown:
        key = place[kind]
        box = picture.boxes.setdefault(key, _Box(*key))
        uses = users[node.key].bit_count()
        box.nodes += uses if alone else 1
        box.uses += uses
        box.grouped |= node.op.role is Role.FIT and not isinstance(node.op, Fit)
        for source in _shown_inputs(node):
            origin = place[_named(source)]
            if origin[0] < key[0]:
                picture.edges[origin, key] += uses if alone else 1
    return picture


def _box_of(node: Node) -> tuple[int, str] | None:
    """Stage and title of the box that a node is in; None for what only passes things on."""
    op = node.op
    if node.plane is Plane.TABLE:
        return 0, f"columns of {op.dataset}" if isinstance(op, Scan) else type(op).__name__.lower()
    match op.role:
        case Role.SPLIT:
            return 0, op.label
        case Role.INPUT:
            return None
        case Role.FEATURES:
            return 1, op.subject
        case Role.FIT:
            return 2, op.subject if isinstance(op, Fit) else f"{op.subject} (group)"
        case Role.SCORE:
            return 3, op.label.removeprefix("score ")
    return None


def _named(node: Node) -> tuple[int, str]:
    found = _box_of(node)
    assert found is not None
    return found


def _shown_inputs(node: Node) -> list[Node]:
    """The nearest nodes with a box below `node`, without the splits and targets that nearly
    everything reads."""
    found: dict[str, Node] = {}
    stack = _main_inputs(node)
    while stack:
        source = stack.pop()
        if source.op.role is Role.SPLIT:
            continue
        if _box_of(source) is None:
            stack.extend(_main_inputs(source))
        else:
            found[source.key] = source
    return list(found.values())


def _main_inputs(node: Node) -> list[Node]:
    if node.op.role in (Role.FIT, Role.SCORE):
        return list(node.inputs[:1])
    return list(node.inputs)


def _places(common: Counter[tuple[int, str]]) -> dict[tuple[int, str], tuple[int, str]]:
    """The box of each kind: its own, or that of the rest where a column has too many."""
    place: dict[tuple[int, str], tuple[int, str]] = {}
    for stage in range(len(_STAGES)):
        kinds = [kind for kind, _ in common.most_common() if kind[0] == stage]
        kept = kinds if len(kinds) <= _MOST else kinds[: _MOST - 1]
        place.update({kind: kind for kind in kept})
        rest = kinds[len(kept) :]
        place.update(dict.fromkeys(rest, (stage, f"{len(rest)} other kinds")))
    return place


# -- drawing ----------------------------------------------------------------------------------


def _height(picture: _Picture) -> int:
    columns = Counter(stage for stage, _ in picture.boxes)
    return 50 + max(columns.values(), default=0) * (_HIGH + _GAP)


def _panel(picture: _Picture, top: int, title: str) -> Iterable[str]:
    yield _text(_LEFT, top, title, size=14, bold=True)
    where: dict[tuple[int, str], tuple[float, float]] = {}
    for stage, heading in enumerate(_STAGES):
        x = _LEFT + stage * _STEP
        yield _text(x, top + 24, heading, colour=_FAINT)
        column = [box for box in picture.boxes.values() if box.stage == stage]
        column.sort(key=lambda box: (-box.nodes, box.title))
        for row, box in enumerate(column):
            where[box.stage, box.title] = (x, top + 34 + row * (_HIGH + _GAP))
    for (source, target), count in sorted(picture.edges.items()):
        yield _edge(where[source], where[target], count)
    for box in picture.boxes.values():
        yield from _draw(box, *where[box.stage, box.title])


def _edge(source: tuple[float, float], target: tuple[float, float], count: int) -> str:
    x0, y0 = source[0] + _BOX, source[1] + _HIGH / 2
    x1, y1 = target[0], target[1] + _HIGH / 2
    bend = (x1 - x0) / 2
    width = min(1.0 + 0.6 * count.bit_length(), 6.0)
    return (
        f'<path d="M{x0:.0f} {y0:.0f} C{x0 + bend:.0f} {y0:.0f} {x1 - bend:.0f} {y1:.0f} '
        f'{x1:.0f} {y1:.0f}" fill="none" stroke="{_LINE}" stroke-width="{width:.1f}" '
        f'stroke-opacity="0.45"/>'
    )


def _draw(box: _Box, x: float, y: float) -> Iterable[str]:
    fill, border = box.colours
    told = f"{box.title}: {box.nodes:,} for {box.uses:,} uses"
    yield (
        f'<g><title>{escape(told)}</title><rect x="{x:.0f}" y="{y:.0f}" width="{_BOX}" '
        f'height="{_HIGH}" rx="5" fill="{fill}" stroke="{border}"/>'
    )
    yield _text(x + 9, y + 20, _short(box.title, 28))
    yield _text(x + _BOX - 9, y + 20, f"{box.nodes:,}", anchor="end", bold=True)
    yield "</g>"


def _short(title: str, most: int) -> str:
    return title if len(title) <= most else title[: most - 1] + "…"


def _legend(right: float, y: float) -> Iterable[str]:
    x = right
    for (fill, border), words in reversed(_LEGEND):
        x -= 6.4 * len(words)
        yield _text(x, y, words, colour=_FAINT)
        x -= 20
        yield (
            f'<rect x="{x:.0f}" y="{y - 11:.0f}" width="14" height="14" rx="3" fill="{fill}" '
            f'stroke="{border}"/>'
        )
        x -= 16


def _text(
    x: float, y: float, words: str, *, size: int = 12, bold: bool = False,
    colour: str = _INK, anchor: str = "start",
) -> str:  # fmt: skip
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
    )
