"""The tools about data and operators: arguments of a call in, replies out."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_server import text
from mcp_server.deferred import Provider
from mcp_server.replies import DatasetList, OperatorList, Profile, result, rows_that_fit, size
from mcp_server.settings import REPLY_BYTES
from mcp_server.waiting import Progress, Waiting
from tools.requests import AddDataset
from tools.responses import DatasetInfo, QueryResult, ServerStatus
from tools.validation import validated

Ctx = Context[Any, Any]
DatasetName = Annotated[str, Field(min_length=1, max_length=200)]


class DataTools:
    """The methods are tools; `app` registers them with their docstrings as descriptions."""

    def __init__(self, engine: Provider, waiting: Waiting) -> None:
        self._engine = engine
        self._waiting = waiting

    async def add_dataset(
        self,
        ctx: Ctx,
        path: Annotated[
            str,
            Field(
                description="CSV, TSV, Parquet, JSON lines, Arrow, DuckDB or SQLite file, or a "
                "folder of such files, relative to the workspace"
            ),
        ],
        name: Annotated[DatasetName | None, Field(description="Defaults to the file name")] = None,
        table: Annotated[str | None, Field(description="Table of a DuckDB or SQLite file")] = None,
        na_values: Annotated[
            list[str] | None, Field(description="Texts to read as missing, besides empty fields")
        ] = None,
        delimiter: Annotated[str | None, Field(description="Of a CSV file; sniffed")] = None,
    ) -> Annotated[CallToolResult, DatasetList]:
        """Register a data file of the workspace under a name. Do this first; pipelines and SQL
        refer to the name. Returns columns and types."""
        request = validated(
            AddDataset,
            {
                "path": path,
                "name": name,
                "table": table,
                "na_values": na_values or [],
                "delimiter": delimiter,
            },
        )
        infos = await self._waiting.told(
            Progress(ctx),
            "reading",
            lambda: self._engine().datasets.add(request, session=session_of(ctx)),
        )
        return result(text.datasets(infos), DatasetList(datasets=infos))

    async def list_datasets(self) -> Annotated[CallToolResult, DatasetList]:
        """List the registered datasets with their columns and types."""
        infos = await self._waiting.call(self._datasets)
        return result(text.datasets(infos), DatasetList(datasets=infos))

    async def profile_dataset(
        self,
        ctx: Ctx,
        dataset: DatasetName,
        target: Annotated[
            str | None,
            Field(description="Column to predict: adds relations, leak suspects and advice"),
        ] = None,
        compare_to: Annotated[
            str | None, Field(description="Another dataset, such as a test set, to find drift")
        ] = None,
        columns: Annotated[
            list[str] | None, Field(description="Only these columns, in full")
        ] = None,
    ) -> Annotated[CallToolResult, Profile]:
        """Look at a dataset before modelling: types, missing values, cardinalities, quantiles;
        with a target also which columns predict it, leak suspects, and a suggested task,
        metrics and cv."""
        found = await self._waiting.told(
            Progress(ctx),
            "profiling",
            lambda: self._engine().datasets.profile(
                dataset, target, compare_to, session=session_of(ctx)
            ),
        )
        profile = bounded_profile(dataset, found, columns)
        return result(text.profile(profile.model_dump()), profile)

    async def query_dataset(
        self,
        ctx: Ctx,
        sql: Annotated[
            str,
            Field(
                min_length=1, max_length=20_000, description="One SELECT; tables are dataset names"
            ),
        ],
        limit: Annotated[int, Field(ge=1, le=1000, description="Rows at most")] = 20,
    ) -> Annotated[CallToolResult, QueryResult]:
        """Run one read-only DuckDB SELECT over the registered datasets, to look at rows or
        aggregates."""
        session = session_of(ctx)
        found = await self._waiting.call(lambda: self._engine().datasets.query(sql, limit, session))
        found = rows_that_fit(found)
        return result(text.table(found), found)

    async def list_operators(
        self,
        query: Annotated[
            str, Field(description="Part of a name, or a word such as 'encode' or 'gradient'")
        ] = "",
        kind: Annotated[
            Literal["classifier", "regressor", "transformer", "splitter", "pipeline", "function"]
            | None,
            Field(description="Only of this kind"),
        ] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> Annotated[CallToolResult, OperatorList]:
        """Find estimators, transformers and splitters that a pipeline may name. When at
        most three match, their parameters and defaults are listed too."""
        infos = await self._waiting.call(lambda: self._engine().operators(query, kind, limit))
        return result(text.operators(infos), OperatorList(operators=infos))

    async def server_status(self) -> Annotated[CallToolResult, ServerStatus]:
        """Versions, budget of cores and memory, load and storage of this server."""
        found = await self._waiting.call(lambda: self._engine().status())
        return result(text.status(found), found)

    def _datasets(self) -> list[DatasetInfo]:
        return self._engine().datasets.list()


def session_of(ctx: Ctx) -> str:
    """The HTTP session, so that clients of one server share it fairly; stdio has one client."""
    headers = ctx.headers
    return "" if headers is None else headers.get("mcp-session-id", "")


def bounded_profile(dataset: str, found: dict[str, Any], columns: list[str] | None) -> Profile:
    """The profile with as many columns as a reply holds, the most telling ones first."""
    fields = {name: value for name, value in found.items() if name != "name"}
    listed: list[dict[str, Any]] = fields.pop("columns", [])
    if columns is not None:
        listed = [column for column in listed if column["name"] in columns]
    relations = fields.get("relations")
    if relations:
        order = {entry["column"]: rank for rank, entry in enumerate(relations["columns"])}
        listed = sorted(listed, key=lambda column: order.get(column["name"], len(order)))
        fields["relations"] = {**relations, "columns": relations["columns"][:30]}
    profile = Profile(**{"rows": 0, **fields, "dataset": dataset, "columns": []})
    room = REPLY_BYTES - size(profile)
    kept: list[dict[str, Any]] = []
    for column in listed:
        room -= len(str(column))
        if kept and room < 0:
            break
        kept.append(column)
    update: dict[str, Any] = {"columns": kept}
    if left := [column["name"] for column in listed[len(kept) :]]:
        names = ", ".join(left[:30]) + (", ..." if len(left) > 30 else "")
        update["next"] = (
            f"{len(left)} more columns ({names}): profile_dataset(dataset, columns=[...])."
        )
    return profile.model_copy(update=update)
