import codecs

import pyarrow
import pytest
from pyarrow import parquet

from firmware_export.common.errors import UserError
from keras_satkd.data import tables

ROWS = {"file": ["a.png", "b, c.png"], "class": ["Forest", "Rivière"]}


@pytest.mark.parametrize(
    "content",
    [
        'file,class\na.png,Forest\n"b, c.png",Rivière\n'.encode(),
        codecs.BOM_UTF8 + "file;class\r\na.png;Forest\r\n\r\nb, c.png;Rivière\r\n".encode(),
        "file\tclass\na.png\tForest\nb, c.png\tRivière".encode(),
        "file|class\n a.png | Forest \nb, c.png|Rivière\n".encode(),
        codecs.BOM_UTF16_LE + "file\tclass\na.png\tForest\nb, c.png\tRivière\n".encode("utf-16-le"),
        ',file,class\n0,a.png,Forest\n1,"b, c.png",Rivière\n'.encode(),
        "\nfile;class\na.png;Forest\nb, c.png;Rivière\n".encode(),
        '  \r\n;\r\n"";""\r\nfile;class\r\na.png;Forest\r\n;\r\nb, c.png;Rivière\r\n'.encode(),
    ],
    ids=["comma", "mark and semicolon", "tab", "bar", "UTF-16", "index without a name", "empty line", "empty cells"],
)
def test_csv_of_any_program(content, tmp_path):
    (tmp_path / "list.csv").write_bytes(content)
    assert tables.read(tmp_path / "list.csv").columns == ROWS


def test_rows_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "list.csv").write_text('file,note\na.png,"two\nlines"\n\nb.png,one\n')
    assert tables.read(tmp_path / "list.csv").rows == ["line 3", "line 5"]


def test_parquet(tmp_path):
    table = {**ROWS, "scene": [3.0, None], "number": [1, 2], "x": [0.5, 2.0]}
    parquet.write_table(pyarrow.table(table), tmp_path / "list.parquet")
    found = tables.read(tmp_path / "list.parquet")
    assert found.columns == {**ROWS, "scene": ["3", ""], "number": ["1", "2"], "x": ["0.5", "2"]}
    assert found.rows == ["row 0", "row 1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"file,class\n", "has no rows"),
        (b"file,file\na,b\n", "has two columns 'file': rename one"),
        (b"file,class\na.png\n", "has 1 cells in line 2, 2 expected: separate the cells by ','"),
        (b"file,class\na\xff.png,Forest\n", r"is not UTF-8 text \(invalid start byte at byte 12\): save it as UTF-8"),
        (b"file,class\n" + b"a" * 200_000 + b",Forest\n", r"is not CSV \(line 2: field larger than field limit"),
    ],
)
def test_damaged_csv(content, message, tmp_path):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        tables.read(tmp_path / "list.csv")


def test_images_inside_a_parquet_file_are_no_names(tmp_path):
    images = [{"bytes": b"PNG", "path": "a.png"}]
    parquet.write_table(pyarrow.table({"image": images, "raw": [b"PNG"], "label": [3]}), tmp_path / "list.parquet")
    assert tables.read(tmp_path / "list.parquet").columns == {"label": ["3"]}


def test_long_cells_are_cut_in_messages():
    assert len(tables.first({"line 2": "x" * 5000}, "files")) < 130


def test_damaged_parquet(tmp_path):
    (tmp_path / "list.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(UserError, match="is not a readable Parquet file"):
        tables.read(tmp_path / "list.parquet")


def test_columns_by_usual_names(tmp_path):
    table = tables.Table(tmp_path, {"File_Name": ["a"], "Class": ["b"], "label": ["c"]}, ["line 2"])
    usual = ("label", "class")
    assert table.find("--data.columns.path", None, ("filename",)) == "File_Name"
    assert table.find("--data.columns.split", None, ("split",)) is None
    assert table.find("--data.columns.label", "label", usual) == "label"
    with pytest.raises(UserError, match=r"has columns 'Class' and 'label': choose one with --data\.columns\.label"):
        table.find("--data.columns.label", None, usual)
    with pytest.raises(UserError, match=r"unknown column of .* in --data\.columns\.label 'lable': did you mean"):
        table.find("--data.columns.label", "lable", usual)
