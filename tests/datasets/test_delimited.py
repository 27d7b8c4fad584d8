"""Text tables are read with their separator, header and numbers found, or refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp.datasets import load_dataset, read_inputs
from fastmlp.datasets.delimited import read_delimited
from fastmlp.errors import DataError

NAN = float("nan")
READ: dict[str, tuple[str | bytes, dict[str, list[object]]]] = {
    "comma": ("a,b\n1,x\n2,y\n", {"a": [1.0, 2.0], "b": ["x", "y"]}),
    "tab": ("a\tb\n1\tx,y\n", {"a": [1.0], "b": ["x,y"]}),
    "semicolon": ("a;b\r\n1;2\r\n", {"a": [1.0], "b": [2.0]}),
    "bar": ("a|b\n1|2\n", {"a": [1.0], "b": [2.0]}),
    "spaces": (" a   b \n 1   2 \n10  20\n", {"a": [1.0, 10.0], "b": [2.0, 20.0]}),
    "named separator": ("sep=;\na;b\n1;2\n", {"a": [1.0], "b": [2.0]}),
    "no header": ("1,x\n2,y\n", {"0": [1.0, 2.0], "1": ["x", "y"]}),
    "only texts, no header": ("p,x\np,y\ne,x\n", {"0": ["p", "p", "e"], "1": ["x", "y", "x"]}),
    "only texts, missing ones, no header": (
        "?,?,x\np,s,y\nq,t,x\n",
        {"0": ["?", "p", "q"], "1": ["?", "s", "t"], "2": ["x", "y", "x"]},
    ),
    "only texts, header": ("kind,cap\np,x\ne,x\n", {"kind": ["p", "e"], "cap": ["x", "x"]}),
    "numbers as names": ("0,1,y\n3,4,cat\n3,5,dog\n", {"0": [3, 3], "1": [4, 5], "y": None}),
    "years as names": ("2019,2020\n3,4.5\n3,5\n", {"2019": [3, 3], "2020": [4.5, 5]}),
    "rising numbers, no header": ("1,2,3\n4,7,9\n", {"0": [1, 4], "1": [2, 7], "2": [3, 9]}),
    "counted names": (
        "1,2,3,4,5,6,7,8,y\n" + "0," * 8 + "x\n",
        {str(n): [0] for n in range(1, 9)} | {"y": ["x"]},
    ),
    "a class beside numbers as names": (
        "1,2,3,kind\n0.1,0.2,0.3,a\n0.2,0.2,0.3,b\n",
        {"1": [0.1, 0.2], "2": [0.2, 0.2], "3": [0.3, 0.3], "kind": ["a", "b"]},
    ),
    "names and decimal commas": (
        "name, first;age, years\nDoe, Jo;5,5\nPoe, Ed;6,5\n",
        {"name, first": ["Doe, Jo", "Poe, Ed"], "age, years": [5.5, 6.5]},
    ),
    "semicolons in cells, no header": (
        "1,2;0,a\n3,4;1,b\n5,4;1,a\n",
        {"0": [1, 3, 5], "1": ["2;0", "4;1", "4;1"], "2": ["a", "b", "a"]},
    ),
    "a bar in a name": (
        "id,tags|extra,y\n1,a|3,0\n2,a|4,1\n",
        {"id": [1, 2], "tags|extra": ["a|3", "a|4"], "y": [0, 1]},
    ),
    "rising numbers behind a text, no header": (
        "north,31,32\nsouth,40,2.5\neast,41,5\nsouth,42,0\n",
        {"0": ["north", "south", "east", "south"], "1": [31, 40, 41, 42], "2": [32, 2.5, 5, 0]},
    ),
    "bars in cells": ("a,b,c\n1,x|y,p\n2,z|y,q\n", {"a": [1, 2], "b": ["x|y", "z|y"], "c": None}),
    "bars in cells, no header": (
        "red,x|y,p\nblue,z|y,q\nred,x|x,p\n",
        {"0": ["red", "blue", "red"], "1": ["x|y", "z|y", "x|x"], "2": ["p", "q", "p"]},
    ),
    "semicolons in quotes": (
        'a,b,c\n1,"x;y",p\n2,"z;y",q\n',
        {"a": [1, 2], "b": ["x;y", "z;y"], "c": ["p", "q"]},
    ),
    "decimal commas, no header": (
        "1,5;2,5;3\n2,5;3,5;4\n",
        {"0": [1.5, 2.5], "1": [2.5, 3.5], "2": [3, 4]},
    ),
    "names, no header": ("Doe, Jo;5\nPoe, Ed;6\n", {"0": ["Doe, Jo", "Poe, Ed"], "1": [5, 6]}),
    "quotes": (
        'a,"b, c"\n"1","two\nlines"\n2,"say ""x"""\n',
        {"a": [1.0, 2.0], "b, c": ["two\nlines", 'say "x"']},
    ),
    "missing": ("a,b\n1,?\nNA,x\n,y\n", {"a": [1.0, NAN, NAN], "b": ["?", "x", "y"]}),
    "spaces around": ("a, b\n1, x\n2 , x\n", {"a": [1.0, 2.0], "b": ["x", "x"]}),
    "marks": ("\ufeffa,b\n1,ü\n", {"a": [1.0], "b": ["ü"]}),
    "UTF-16": ("a\tb\n1\tü\n".encode("utf-16"), {"a": [1.0], "b": ["ü"]}),
    "blank lines": ("\n\na,b\n1,x\n\n  \n2,y\n\n,\n , \n  \n", {"a": [1.0, 2.0], "b": ["x", "y"]}),
    "line ends in quoted cells": (
        '"a","b","c"\n"1","one; two,\nthree; ""3""","x"\n"2", "four\n,\n5","y"\n',
        {"a": [1, 2], "b": ['one; two,\nthree; "3"', "four\n,\n5"], "c": ["x", "y"]},
    ),
    "inches": ('a,b\n5" pipe,3\n6" pipe,4\n', {"a": ['5" pipe', '6" pipe'], "b": [3, 4]}),
    "R's row names": ('"a" "b"\n"1" 3 "x"\n"2" 4 "y"\n', {"": [1, 2], "a": [3, 4], "b": None}),
    "ends of rows": ("a,b\n1,x,\n2,y,\n", {"a": [1.0, 2.0], "b": ["x", "y"]}),
    "empty columns": ("a,b,,\n1,x,,\n2,y,,\n", {"a": [1.0, 2.0], "b": ["x", "y"]}),
    "texts only, unnamed columns": (
        "colour,size,label,,\nred,big,yes,,\nblue,small,no,,\n",
        {"colour": ["red", "blue"], "size": ["big", "small"], "label": ["yes", "no"]},
    ),
    "exponents": ("a,b\n1e3,-.5\n+2,3.\n", {"a": [1000.0, 2.0], "b": [-0.5, 3.0]}),
    "no numbers": ("a,b\n1_000,0x1\n2,3\n", {"a": ["1_000", "2"], "b": ["0x1", "3"]}),
}


def written(folder: Path, content: str | bytes, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("kind", READ)
def test_a_table_is_read(tmp_path: Path, kind: str) -> None:
    content, columns = READ[kind]
    found = read_delimited(written(tmp_path, content))
    assert list(found.columns) == list(columns)
    assert found.has_header == ("no header" not in kind)
    for name, cells in columns.items():
        if cells is not None:
            assert str(found.columns[name].tolist()) == str([*map(cell, cells)])


def cell(value: object) -> object:
    return float(value) if isinstance(value, int) else value


def zipped(data: bytes, *names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names or ("own.csv",):
            archive.writestr(name, data)
    return file.getvalue()


def test_a_known_table_may_have_one_column_or_row_and_no_header(tmp_path: Path) -> None:
    for known in (None, (), ("x",)):
        with pytest.raises(DataError):
            read_delimited(written(tmp_path, "sep=;\n"), known)
    for known, content, columns in (
        (("x",), "x\n0.5\n2\n", {"x": [0.5, 2.0]}),
        ((), "0,1\n0.5,0.7\n", {"0": [0.0, 0.5], "1": [1.0, 0.7]}),
        ((), "5,6\n", {"0": [5.0], "1": [6.0]}),
        ((), "red,6\n", {"0": ["red"], "1": [6.0]}),
        ((), "0.5\n", {"0": [0.5]}),
        ((), "p,u\nq,v\n", {"0": ["p", "q"], "1": ["u", "v"]}),
        (("x",), "x\n1,5\n2,5\n8,5\n", {"x": [1.5, 2.5, 8.5]}),
        (("colour",), "colour\ndark red\nlight blue\n", {"colour": ["dark red", "light blue"]}),
        (("y",), '"y"\n"1" 0.5\n"2" 0.7\n', {"": [1.0, 2.0], "y": [0.5, 0.7]}),
        (("y",), "y\n1,\n2,\n", {"y": [1.0, 2.0]}),
        ((), "0,1,2\n3,4,5.5\n", {"0": [3.0], "1": [4.0], "2": [5.5]}),
        ((), "0,1,2\n3,4,5\n", {"0": [0.0, 3.0], "1": [1.0, 4.0], "2": [2.0, 5.0]}),
        ((), "0,1\n0,5\n", {"0": [0.0, 0.0], "1": [1.0, 5.0]}),
        ((), "0,1,2\n", {"0": [0.0], "1": [1.0], "2": [2.0]}),
    ):
        texts = {"colour": ("dark red",)} if known == ("colour",) else {}
        how = texts, known == ("x",)
        found = read_delimited(written(tmp_path, content), known, *how)
        assert {name: cells.tolist() for name, cells in found.columns.items()} == columns


def test_a_header_of_counted_names_has_as_few_rows_below_as_the_frame(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=(100, 4))
    data = load_dataset(pandas.DataFrame(np.column_stack([x, np.arange(100) % 2])))
    pandas.DataFrame(x).to_csv(tmp_path / "own.csv", index=False)
    np.testing.assert_allclose(read_inputs(tmp_path / "own.csv", data.columns), x)
    np.savetxt(tmp_path / "own.csv", x, delimiter=",")
    np.testing.assert_allclose(read_inputs(tmp_path / "own.csv", data.columns), x)


PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped}


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_found_by_their_first_bytes(tmp_path: Path, suffix: str) -> None:
    rows = b"a,b\n1,x\n2,y\n3,x\n4,y\n"
    packed = PACKED[suffix](rows)
    for name in ("own.csv", f"own.csv{suffix}", f"own.csv{suffix}{suffix}"):
        path = written(tmp_path, packed, name)
        assert len(read_delimited(path)) == 4
        assert load_dataset(path, whole=True).class_names == ("x", "y")
        path = written(tmp_path, packed, name.replace("own", "own.2023"))
        assert load_dataset(path, whole=True).name == "own.2023"
    with pytest.raises(DataError, match="expected a readable, complete file"):
        read_delimited(written(tmp_path, packed[:-9]))


def test_an_archive_is_read_by_the_name_of_its_only_file(tmp_path: Path) -> None:
    rows = b"a,b\n1,x\n2,y\n3,x\n4,y\n"
    for name in ("deep/some.csv", "some.TXT"):
        path = written(tmp_path, zipped(rows, name, "__MACOSX/x"), "own.zip")
        assert load_dataset(path, whole=True).class_names == ("x", "y")
        assert load_dataset(path.rename(tmp_path / "a.b.zip"), whole=True).name == "a.b"
    for content, says in (
        (zipped(rows, "a.csv", "b.csv"), "found 2 files in it"),
        (zipped(rows, "a.parquet"), "found a file called 'own.zip'"),
        (zipped(rows, f"{tmp_path}/a.zip"), "found a file called 'own.zip'"),
        (zipped(rows)[:-9], "found a file called 'own.zip'"),
    ):
        with pytest.raises(DataError, match=says):
            load_dataset(written(tmp_path, content, "own.zip"))


def test_numbers_and_texts_have_the_same_values_by_both_ways(tmp_path: Path) -> None:
    rows = [f"{n / 7!r},{-n}" for n in range(500)]
    fast = read_delimited(written(tmp_path, "\n".join(["a,b", *rows])))
    slow = read_delimited(written(tmp_path, "\n".join(["a,b,c", *(f"{row},x" for row in rows)])))
    for name in "ab":
        np.testing.assert_array_equal(fast.columns[name], slow.columns[name])


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("\n \n", "at least 2 lines"),
    "one line": ("a,b\n", "at least 2 lines"),
    "one column": ("a\n1\n2\n", "at least two columns"),
    "thousands": ('a,b\n"1,500.2",x\n7,y\n', "Write 3.5, not 3,5, and 1000, not 1,000."),
    "decimal commas between commas": (
        "a,b,label\n1,5,2,x\n1,7,3,y\n",
        "3 cells in each row, as in the header; found 4. Quote cells that contain separators, and",
    ),
    "a page of the web": ("<!DOCTYPE html>\n<p>a,b</p>\n", "a table of text; found b'<!DO'"),
    "rows of two lengths": (
        "a,b\n1,2\n3,4\n5\n",
        "2 cells in line 4, as in most rows; found 1",
    ),
    "a longer header": ("a,b,c,d\n1,2\n3,4\n", "4 cells in each row, as in the header; found 2"),
    "a name twice": ("a,b,a\n1,2,3\n", "different names of columns; found 'a' twice"),
    "a name twice above texts": ("a,a,b\np,q,r\ns,t,r\n", "different names of columns; found 'a'"),
    "another encoding": ("a,b\n1,ü\n".encode("latin-1"), "text in UTF-8"),
    "a line above the table": (
        "made in 2024\na,b,c\n1,2,x\n3,4,y\n",
        "1 cell in each row, as in the header; found 3. Quote",
    ),
    "a workbook": (zipped(b"<x>", "a.xml", "b.xml"), "a table of text; found 2 files in it"),
    "half a workbook": (b"PK\x03\x04\x14\0", "a readable, complete file; found File is not"),
    "zeros": (b"a,b\n1,\0\n", "text; found a byte of 0 in line 2"),
    "UTF-32": ("a,b\n1,2\n".encode("utf-32"), "a table of text; found b'"),
    "a page without a type": ("<html>\n<p>a,b</p>\n", "a table of text; found b'<htm'"),
    "half a gzip file": (gzip.compress(b"a,b\n1,2\n" * 99)[:-20], "a readable, complete file"),
    "an open quote": (
        'a,b\n1,x\n2,"y\n3,x\n4,y\n',
        "a table of text; found a quote without its end in line 3 or later. Check its quotes.",
    ),
    "an open quote in the header": ('a,"b\n1,x\n2,y\n', "rows below the header; found none"),
    "an endless cell": ('a,b\n1,"' + "x" * 200_000 + "\n", "a table of text; found field larger"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_table_is_refused(tmp_path: Path, kind: str) -> None:
    content, says = REFUSED[kind]
    path = written(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_delimited(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(st.text('01.,;\t|"\n a?-eé\ufeff', max_size=60))
def test_no_text_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), text, "any.csv")
    with suppress(DataError):
        data = load_dataset(path)
        assert np.isfinite(data.train.images).all()
        assert min(len(data.train), len(data.test)) > 0
