"""Estimates for the tasks of one plan.

Input: nodes of a lowered batch, the rows of relations, and what was measured before. Output: the
expected seconds of every instruction and the peak bytes of every task. Rows follow from splits
and filters, widths from operators and distinct values; what was seen of a node is known exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.binder import schema
from planner.cardinality import shares
from planner.corrections import NO_CORRECTIONS, Corrections
from planner.cost import Shape, bytes_of, kind_of, output_bytes, seconds_of
from planner.expressions import Call
from planner.graph import Node, Op, Plane, Role
from planner.ops import Apply, Columns, Concat, Encode, Folds, Materialise, Vector
from planner.ops_blend import OutOfFold, WithHeldOut
from planner.ops_encode import CodedEncode, Codes, EncodeBlock
from planner.ops_encodings import ChosenColumns, Components, Vocabulary
from planner.ops_linear import LinearBlocks
from planner.plan import Instruction, Value
from planner.widths import Width, after, beside, vectorised

# Ops whose values are feature blocks that are computed from others.
BLOCKS = (
    Apply, Encode, CodedEncode, EncodeBlock, Concat, Components, ChosenColumns, Vocabulary
)  # fmt: skip
_UNEQUAL = frozenset({"TimeSeriesSplit"})
_CLASSES = 5  # of a target with several, where their number is unknown


@dataclass(frozen=True)
class Extent:
    """What was seen of the value of a node: its rows (of all folds, or of the training side of
    one), its columns, and the values per row where it is sparse."""

    rows: int
    columns: int
    stored: float = 0.0


@dataclass(frozen=True)
class Measured:
    """What earlier runs say: corrections of seconds, and extents by node key."""

    corrections: Corrections = NO_CORRECTIONS
    extents: Mapping[str, Extent] = field(default_factory=dict)


NOTHING = Measured()


@dataclass(frozen=True)
class Estimate:
    """Of one op: seconds at one thread, peak bytes while it runs, bytes of its value."""

    seconds: float
    bytes: int
    out: int


class Estimates:
    """Estimates over `nodes` (by key; tables that are materialised included).

    `rows` gives the rows of a relation.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        rows: Callable[[Node], int],
        measured: Measured = NOTHING,
    ) -> None:
        self._nodes = nodes
        self._rows = rows
        self._measured = measured
        self._found: dict[Value, Estimate] = {}
        self._priced: dict[tuple[str, Shape], Estimate] = {}
        self._cut: dict[tuple[str, int | None], tuple[int, int]] = {}
        self._widths: dict[str, Width] = {}
        self._relations: dict[str, int] = {}
        self._splits: dict[str, Node | None] = {}

    def task(self, instructions: Sequence[Instruction]) -> tuple[tuple[float, ...], int]:
        """Expected seconds of each instruction, and the peak bytes of all of them."""
        found = [self.of(instruction) for instruction in instructions]
        held = sum(one.out for one in found)
        peak = max((one.bytes for one in found), default=0)
        return tuple(one.seconds for one in found), held + peak

    def of(self, instruction: Instruction) -> Estimate:
        out, op, _ = instruction
        known = self._found.get(out) or self._found.get(Value(out.key))
        if known is None:
            node = self._nodes.get(out.key)
            known = self._estimate(node, op, out.fold)
            self._found[out if node is not None and self._differs(node) else Value(out.key)] = known
        return known

    def _differs(self, node: Node) -> bool:
        """Whether folds have different sizes."""
        split = self._split(node)
        return split is not None and getattr(split.op, "splitter", Call("")).name in _UNEQUAL

    def _estimate(self, node: Node | None, op: Op, fold: int | None) -> Estimate:
        if node is None:
            return Estimate(seconds_of(op, Shape(1, 1)), 0, 0)
        shape = self.shape(node, op, fold)
        # Folds are mostly of one size.
        known = self._priced.get((node.key, shape))
        if known is None:
            known = self._priced[node.key, shape] = self._price(node, op, shape)
        return known

    def _price(self, node: Node, op: Op, shape: Shape) -> Estimate:
        model = _model(node) if op.role is Role.ANSWER else None
        base = seconds_of(op, shape, model)
        factor = self._measured.corrections.factor(kind_of(op, model), base)
        features = op.role is Role.FEATURES or isinstance(op, Columns | Materialise)
        out = output_bytes(shape) if features else 16 * shape.valid
        return Estimate(base * factor, bytes_of(op, shape), out)

    # -- shapes -------------------------------------------------------------------------------

    def shape(self, node: Node, op: Op, fold: int | None) -> Shape:
        """What the op of `node` works on in one fold (None: over all rows)."""
        if node.plane is Plane.TABLE:
            return Shape(self.rows(node), max(len(schema(node).names), 1))
        split = self._split(node)
        train, valid = (self.rows(node), 0) if split is None else self._sides(split, fold)
        out = self.width(node)
        read = out
        whole = Concat | EncodeBlock | Columns | Codes | LinearBlocks
        made = isinstance(op, whole) or not node.inputs
        if not made and node.inputs[0].plane is not Plane.TABLE:
            read = self.width(node.inputs[0])
        if fold is None and node.plane is Plane.WHOLE:
            train, valid = train + valid, 0
        return Shape(
            max(train, 1), read.columns, out.columns, read.stored, self._classes(node), valid
        )

    def rows(self, node: Node) -> int:
        """Rows of a relation, or of the relation that a node of the whole plane is made from."""
        extent = self._measured.extents.get(node.key)
        if extent is not None and node.plane is not Plane.FOLD:
            return extent.rows
        if node.plane is not Plane.TABLE:
            return self.rows(node.inputs[0]) if node.inputs else 1
        found = self._relations.get(node.key)
        if found is None:
            found = self._relations[node.key] = max(self._rows(node), 1)
        return found

    def _split(self, node: Node) -> Node | None:
        """The folds that a node is computed over."""
        if node.key not in self._splits:
            own = next((source for source in node.inputs if isinstance(source.op, Folds)), None)
            if own is None and node.inputs and node.plane is Plane.FOLD:
                own = self._split(node.inputs[0])
            self._splits[node.key] = own
        return self._splits[node.key]

    def _sides(self, split: Node, fold: int | None) -> tuple[int, int]:
        found = self._cut.get((split.key, fold))
        if found is None:
            assert isinstance(split.op, Folds)
            total = self.rows(split)
            train, valid = shares(split.op, fold)
            found = self._cut[split.key, fold] = int(total * train), int(total * valid)
        return found

    def width(self, node: Node) -> Width:
        """The columns of the value of `node`, if it is a feature block; else those it came from."""
        found = self._widths.get(node.key)
        if found is None:
            found = self._width(node)
            seen = self._measured.extents.get(node.key)
            if seen is not None and isinstance(node.op, BLOCKS):
                known = found.distinct if len(found.distinct) == seen.columns else ()
                found = Width(max(seen.columns, 1), seen.stored, known)
            self._widths[node.key] = found
        return found

    def _trained(self, node: Node) -> int:
        """Rows that an encoding is fitted on."""
        split = self._split(node)
        return self.rows(node.inputs[0]) if split is None else self._sides(split, None)[0]

    def _width(self, node: Node) -> Width:
        op = node.op
        if isinstance(op, Columns | Codes):
            return self._columns(node, op.names)
        if isinstance(op, Concat):
            return beside([self.width(source) for source in node.inputs[1:]], op.sparse_threshold)
        if isinstance(op, EncodeBlock):
            blocks = []
            for source, calls in zip(node.inputs[1:], op.steps, strict=False):
                block = self.width(source)
                for call in calls:
                    block = after(call, block, self._trained(node), 1)
                blocks.append(block)
            return beside(blocks, op.sparse_threshold)
        if isinstance(op, Encode) and op.transformer.name == "TableVectorizer":
            source = node.inputs[0]
            if isinstance(source.op, Columns):
                table = schema(source.inputs[0])
                return vectorised(op.transformer, [table[name] for name in source.op.names])
        if isinstance(op, Apply | Encode | CodedEncode):
            read = self.width(node.inputs[0])
            return after(op.transformer, read, self._trained(node), self._classes(node))
        if isinstance(op, Components | ChosenColumns):
            return after(op.transformer, self.width(node.inputs[1]), self._trained(node), 1)
        if isinstance(op, Vocabulary):
            return after(op.transformer, self.width(node.inputs[0]), self._trained(node), 1)
        if isinstance(op, LinearBlocks):
            rows = self._trained(node)
            blocks = [self.width(source) for source in node.inputs[: len(op.blocks)]]
            for place, calls in enumerate(op.blocks):
                for call in calls:
                    blocks[place] = after(call, blocks[place], rows)
            return beside(blocks, 0.0)
        if isinstance(op, OutOfFold | WithHeldOut):
            return Width(len(op.counts))
        if not node.inputs or node.inputs[0].plane is Plane.TABLE:
            return Width(1)
        return self.width(node.inputs[0])

    @staticmethod
    def _columns(node: Node, names: Sequence[str]) -> Width:
        table = {column.name: column for column in schema(node.inputs[0])}
        counts = []
        for name in names:
            column = table.get(name)
            known = None if column is None else column.distinct
            # A missing value is a category of its own.
            counts.append(None if known is None or column is None else known + column.nullable)
        return Width(max(len(names), 1), 0.0, tuple(counts))

    def _classes(self, node: Node) -> int:
        """Classes of the target that a node is about; 1 in regression, or if it sees none."""
        op = getattr(node.op, "fit", node.op)  # of a group, any of its fits
        task = getattr(op, "task", None)
        if task in ("regression", "binary"):
            return 1 if task == "regression" else 2
        for source in node.inputs:
            if isinstance(source.op, Vector):
                column = schema(source.inputs[0])[source.op.column]
                if task == "multiclass":
                    return column.distinct or _CLASSES
                if column.kind in ("string", "categorical", "boolean"):
                    return column.distinct or 2
        if node.op.role is Role.ANSWER and node.inputs:
            return self._classes(node.inputs[0])
        return 1


def _model(node: Node) -> Op | None:
    """The fit that an answer comes from."""
    while node.op.role is Role.ANSWER and node.inputs:
        node = node.inputs[0]
    return node.op if node.op.role is Role.FIT else None
