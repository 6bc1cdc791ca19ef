"""CSV: how the file is read, and which type every column gets."""

import csv
import gzip
import io
import math
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from executor import readers_csv
from executor.backends.duckdb import read_table
from executor.ingest import ingest
from executor.readers_csv import read_csv
from executor.text_types import infer
from planner.errors import DataError


def add(folder: Path, content: str | bytes, **options: Any) -> tuple[dict[str, Any], pa.Table]:
    source = folder / "a.csv"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "out").mkdir(exist_ok=True)
    found = ingest(str(source), str(folder / "out"), options)
    table = read_table(folder / "out" / f"{found['fingerprint']}.arrow")
    return found, table.drop_columns(["__row"])


def malformed(folder: Path, content: str | bytes, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        add(folder, content, **options)
    return caught.value


def typed(values: list[str | None], dayfirst: bool | None = None) -> tuple[str, list[Any]]:
    column = infer(pa.chunked_array([pa.array(values, pa.large_string())]), dayfirst).column
    return str(column.type), column.to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", None, "-3"], "int64", [1, None, -3]),
        ([" 1", "2 "], "int64", [1, 2]),
        (["9007199254740993", "9007199254740992"], "int64", [2**53 + 1, 2**53]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], "decimal128(38, 0)", [2**63, 1]),
        (["1" * 39, "1"], "large_string", ["1" * 39, "1"]),
        (["01234", "98765"], "large_string", ["01234", "98765"]),
        (["-01", "2"], "large_string", ["-01", "2"]),
        (["0", "00"], "large_string", ["0", "00"]),
        (["01.5", "2"], "large_string", ["01.5", "2"]),
        (["0x1F", "2"], "large_string", ["0x1F", "2"]),
        (["1_000", "2"], "large_string", ["1_000", "2"]),
        (["1,000", "2"], "large_string", ["1,000", "2"]),
        (["1", "2.5", None], "double", [1.0, 2.5, None]),
        (["1", "1e400", "-inf"], "double", [1.0, math.inf, -math.inf]),
        (["0.5", "0"], "double", [0.5, 0.0]),
        (["nan", "inf"], "double", None),
        (["nan", "NaN"], "large_string", ["nan", "NaN"]),
        (["true", "False", None], "bool", [True, False, None]),
        (["true", "yes"], "large_string", ["true", "yes"]),
        (["0", "1"], "int64", [0, 1]),
        (["tRue", "true"], "large_string", ["tRue", "true"]),
        ([None, None], "double", [None, None]),
        (["2020-02-29", None], "date32[day]", [date(2020, 2, 29), None]),
        (["2020/02/29"], "date32[day]", [date(2020, 2, 29)]),
        (["2021-02-29"], "large_string", ["2021-02-29"]),
        (["2020-01-02 03:04", "2020-01-02"], "timestamp[us]", [
            datetime(2020, 1, 2, 3, 4), datetime(2020, 1, 2)]),
        (["2020-01-02T03:04:05.123456789"], "timestamp[us]", [
            datetime(2020, 1, 2, 3, 4, 5, 123456)]),
        (["2020-01-02T03:04:05+02:00", "2020-01-02 03:04:05Z"], "timestamp[us]", [
            datetime(2020, 1, 2, 1, 4, 5), datetime(2020, 1, 2, 3, 4, 5)]),
        (["2020-01-02T03:04:05Z", "2020-01-02 03:04:05"], "large_string", [
            "2020-01-02T03:04:05Z", "2020-01-02 03:04:05"]),
        (["2020-01-02 25:00"], "large_string", ["2020-01-02 25:00"]),
        (["12/31/1999", "1/2/2000", None], "date32[day]", [
            date(1999, 12, 31), date(2000, 1, 2), None]),
        (["31.12.1999", "01.02.2000"], "date32[day]", [date(1999, 12, 31), date(2000, 2, 1)]),
        (["12/31/1999 23:59", "1/2/2000 0:00:01"], "timestamp[us]", [
            datetime(1999, 12, 31, 23, 59), datetime(2000, 1, 2, 0, 0, 1)]),
        (["01/02/2000", "03/04/2000"], "large_string", ["01/02/2000", "03/04/2000"]),
        (["13/01/2000", "01/13/2000"], "large_string", ["13/01/2000", "01/13/2000"]),
        (["04/31/2000"], "large_string", ["04/31/2000"]),
        (["12/31-1999"], "large_string", ["12/31-1999"]),
        (["a", " a ", ""], "large_string", ["a", " a ", ""]),
        (["1", " "], "large_string", ["1", " "]),
    ],
)  # fmt: skip
def test_types(values: list[str | None], kind: str, expected: list[Any] | None) -> None:
    found, got = typed(values)
    assert found == kind
    if expected is not None:
        assert got == expected


def test_dayfirst_decides() -> None:
    assert typed(["01/02/2000"], True) == ("date32[day]", [date(2000, 2, 1)])
    assert typed(["01/02/2000"], False) == ("date32[day]", [date(2000, 1, 2)])


@given(st.lists(st.one_of(st.none(), st.dates(date(1000, 1, 1))), min_size=1, max_size=20))
def test_american_dates_are_what_python_says(days: list[date | None]) -> None:
    assume(any(day is not None and day.day > 12 for day in days))
    texts = [None if day is None else f"{day.month}/{day.day}/{day.year:04d}" for day in days]
    assert typed(texts) == ("date32[day]", days)


@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=20),
    st.sampled_from(["{!r}", "{:.20e}", "{:.17g}", "{:.3f}"]),
)
def test_floats_are_rounded_as_by_python(numbers: list[float], form: str) -> None:
    texts = [form.format(number) for number in numbers]
    assume(any("." in text or "e" in text or "inf" in text for text in texts))
    kind, got = typed(texts)
    assert kind == "double"
    expected = [float(text) for text in texts]
    assert got == expected
    assert [math.copysign(1, x) for x in got] == [math.copysign(1, x) for x in expected]


_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(_cells, _cells), min_size=1, max_size=12))
def test_strings_keep_every_byte(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["key", "a", "b"])
    writer.writerows([["x", *row] for row in rows])
    data = text.getvalue().encode()
    table, dialect, _ = read_csv(lambda: io.BytesIO(data), delimiter=",")
    assert dialect.names == ("key", "a", "b")
    assert table.column(1).to_pylist() == [row[0] or None for row in rows]
    assert table.column(2).to_pylist() == [row[1] or None for row in rows]


@pytest.mark.parametrize(
    ("first", "late", "kind", "warned"),
    [
        ("7", "seven", "VARCHAR", False),
        ("7", "7.5", "DOUBLE", False),
        ("7", "12345678901234567890", "DECIMAL(38,0)", False),
        ("7", "007", "VARCHAR", False),
        ("1.5", "x", "VARCHAR", False),
        ("true", "maybe", "VARCHAR", False),
        ("2020-01-01", "2020-01-01 10:00:00", "TIMESTAMP", False),
        ("2020-01-01", "soon", "VARCHAR", False),
        ("01/02/2020", "01/13/2020", "DATE", False),
        ("01/02/2020", "02/03/2020", "VARCHAR", True),
        ("", "5", "BIGINT", False),
    ],
)
def test_all_rows_decide(tmp_path: Path, first: str, late: str, kind: str, warned: bool) -> None:
    rows = [first] * 30_000 + [late]
    found, table = add(tmp_path, "k,a\n" + "".join(f"k,{row}\n" for row in rows))
    assert found["columns"][1]["sql_type"] == kind
    assert any("dayfirst" in w for w in found["warnings"]) is warned
    if kind == "VARCHAR":
        assert table.column("a").to_pylist() == rows


def test_the_zone_of_the_host_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a,b\n2020-07-01 12:00:00,2020-07-01T12:00:00-04:00\n"
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        found, table = add(tmp_path, text)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found["fingerprint"] == add(tmp_path, text)[0]["fingerprint"]
    assert table.to_pylist() == [{"a": datetime(2020, 7, 1, 12), "b": datetime(2020, 7, 1, 16)}]


def test_only_empty_fields_are_missing(tmp_path: Path) -> None:
    text = 'n,s,q\n1,NA,""\n,,x\nNA,?, \n'
    found, table = add(tmp_path, text)
    assert table.to_pydict() == {
        "n": ["1", None, "NA"],
        "s": ["NA", None, "?"],
        "q": [None, "x", " "],
    }
    assert found["suspects"] == {
        "n": {"values": {"NA": 1}, "would_be": "integer"},
        "s": {"values": {"?": 1, "NA": 1}},
        "q": {"values": {" ": 1}},
    }


def test_na_values(tmp_path: Path) -> None:
    text = "n,s,x\n1,NA,-999\n2,b,0.5\nNA,?,-999.0\n"
    found, table = add(tmp_path, text, na_values=["NA", "?", -999])
    assert table.to_pydict() == {
        "n": [1, 2, None], "s": [None, "b", None], "x": [None, 0.5, None]
    }  # fmt: skip
    assert found["suspects"] == {}
    _, table = add(tmp_path, text, na_values={"n": ["NA"]})
    assert table.to_pydict() == {
        "n": [1, 2, None], "s": ["NA", "b", "?"], "x": [-999.0, 0.5, -999.0]
    }  # fmt: skip


def test_numeric_sentinels_are_suspects(tmp_path: Path) -> None:
    rows = "".join(f"{i % 30},{i % 30},{i}\n" for i in range(300))
    found, _ = add(tmp_path, "a,b,c\n" + rows + "999,-999,999\n" * 3)
    assert found["suspects"] == {
        "a": {"values": {"999": 3}},
        "b": {"values": {"-999": 3}},
        "c": {"values": {"999": 3}},
    }
    found, _ = add(tmp_path, "a\n" + "".join(f"{i}\n" for i in range(1000)))
    assert found["suspects"] == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(tmp_path: Path, delimiter: str) -> None:
    rows = [["a b", "c"], ['1,5;|\t"', "2"], ["x\ny", "3"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    found, table = add(tmp_path, text.getvalue())
    assert found["read"] == {"format": "csv", "delimiter": delimiter, "encoding": "utf-8"}
    assert table.to_pydict() == {"a b": ['1,5;|\t"', "x\ny"], "c": [2, 3]}


def test_free_text_in_a_single_column(tmp_path: Path) -> None:
    _, table = add(tmp_path, "text\nwell, no\nyes\na, b, c\n")
    assert table.to_pydict() == {"text": ["well, no", "yes", "a, b, c"]}
    assert malformed(tmp_path, "a\n1,2\n3,4\n").code == "malformed_file"


def test_compressed_text(tmp_path: Path) -> None:
    data = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    assert add(tmp_path, data)[1].to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert "Line 3" in malformed(tmp_path, gzip.compress(b"a,b\n1,2\n3\n")).message
    assert malformed(tmp_path, data[:30]).code == "malformed_file"
    assert add(tmp_path, gzip.compress(b'{"a": 1}\n{"a": 2}\n'))[1].to_pydict() == {"a": [1, 2]}


def test_numbers_beside_nan(tmp_path: Path) -> None:
    found, table = add(tmp_path, "a\n1\nnan\nNaN\n")
    assert table.to_pydict() == {"a": [1.0, None, None]}
    assert any("'a' has 2 values written as 'nan'" in w for w in found["warnings"])


def test_semicolons_with_decimal_commas(tmp_path: Path) -> None:
    _, table = add(tmp_path, "a;b\n1,5;2\n2,5;3\n")
    assert table.to_pydict() == {"a": ["1,5", "2,5"], "b": [2, 3]}


@pytest.mark.parametrize(
    ("data", "encoding", "warned"),
    [
        ("größe,b\nü,1\n".encode(), "utf-8", False),
        (b"\xef\xbb\xbf" + "größe,b\nü,1\n".encode(), "utf-8", False),
        ("größe,b\nü,1\n".encode("utf-16"), "utf-16", False),
        ("größe,b\nü,1\n".encode("latin-1"), "latin-1", True),
        (("größe,b\n" + "x,1\n" * 200_000).encode() + b"\xfc,1\n", "latin-1", True),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, encoding: str, warned: bool) -> None:
    found, table = add(tmp_path, data)
    assert found["read"]["encoding"] == encoding
    assert any("Latin-1" in w for w in found["warnings"]) is warned
    assert table.column(0)[-1].as_py() == "ü"
    if table.num_rows == 1:
        assert table.column_names == ["größe", "b"]


def test_a_given_encoding_is_kept_to(tmp_path: Path) -> None:
    _, table = add(tmp_path, "a\n“x”\n".encode("cp1252"), encoding="cp1252")
    assert table.to_pydict() == {"a": ["“x”"]}
    assert malformed(tmp_path, b"a\n\xfc\n", encoding="utf-8").code == "malformed_file"


def test_line_ends_blank_lines_and_a_missing_last_one(tmp_path: Path) -> None:
    for text in ("\r\na,b\r\n1,2\r\n\r\n3,4", "a,b\r1,2\r3,4\r", "a,b\n1,2\n\n3,4\n\n"):
        assert add(tmp_path, text)[1].to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_without_a_header(tmp_path: Path) -> None:
    _, table = add(tmp_path, "1,x\n2,y\n", header=False)
    assert table.to_pydict() == {"column_1": [1, 2], "column_2": ["x", "y"]}


def test_columns_kept_as_text(tmp_path: Path) -> None:
    _, table = add(tmp_path, "a,b\n1,2\n", as_text=["a"])
    assert table.to_pydict() == {"a": ["1"], "b": [2]}


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "a,b\n", "a,b"])
def test_nothing_in_it(tmp_path: Path, text: str) -> None:
    assert malformed(tmp_path, text).code == "empty_table"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n1,2\n1,2,3\n", "Line 3 has 3 fields"),
        ("a,b\n1,2\n\n1\n4,5\n", "Line 4 has 1 fields"),
        ('a,b\n"x\ny",2\n' + "1,2\n" * 50_000 + "1,2,3\n", "Line 50004 has 3 fields"),
    ],
)
def test_ragged_rows_are_named_by_their_line(tmp_path: Path, text: str, line: str) -> None:
    error = malformed(tmp_path, text)
    assert error.code == "malformed_file"
    assert line in error.message


def test_an_unclosed_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    error = malformed(tmp_path, 'a,b\n1,2\n1,"x\n' + "3,4\n" * 1000)
    assert error.code == "malformed_file"
    assert "line 3" in error.message
    _, table = add(tmp_path, 'a,b\n1,"x\n\n"\n')
    assert table.to_pydict() == {"a": [1], "b": ["x\n\n"]}


def test_long_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_csv, "BLOCKS", (1 << 16, 1 << 18))
    long = "x" * 200_000
    assert add(tmp_path, f"a,b\n{long},1\n")[1].column("a")[0].as_py() == long
    error = malformed(tmp_path, b"a,b\n" + b"x" * 2_000_000 + b",1\n")
    assert error.code == "malformed_file"


def test_binary_garbage(tmp_path: Path) -> None:
    assert malformed(tmp_path, b"a,b\n\x00\x01\x02,1\n").code == "malformed_file"


def test_two_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(2000)]
    text = ",".join(names) + "\n" + (",".join(map(str, range(2000))) + "\n") * 3
    found, table = add(tmp_path, text)
    assert len(found["columns"]) == 2000
    assert table.column("c1999").to_pylist() == [1999] * 3
