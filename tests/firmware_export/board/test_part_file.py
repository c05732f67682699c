import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.board import part_file
from firmware_export.board.cores import CORES
from firmware_export.common.errors import UserError

BOARD = {"part": "My board", "core": "cortex-m4", "clock_mhz": 80, "flash_kb": 1024, "ram_kb": 96.5}


def written(folder: Path, values: dict, name: str = "my_board.toml") -> Path:
    path = folder / name
    path.write_text(tomli_w.dumps(values))
    return path


def test_a_file_is_a_part_by_its_name(tmp_path):
    found = part_file.read_one(written(tmp_path, BOARD))
    assert (found.name, found.part, found.core) == ("my_board", "My board", "cortex-m4")
    assert (found.clock_hz, found.flash_bytes, found.ram_bytes) == (80_000_000, 1 << 20, 96 * 1024 + 512)
    assert (found.source, found.note, found.has_external_flash) == ("given by the user", "", False)


def test_what_may_be_left_out_is_read_too(tmp_path):
    more = {"source": "DS1", "note": "two banks", "external_flash": True}
    without_clock = {key: value for key, value in BOARD.items() if key != "clock_mhz"}
    found = part_file.read_one(written(tmp_path, without_clock | more))
    assert (found.clock_hz, found.source, found.note, found.has_external_flash) == (None, "DS1", "two banks", True)


def test_the_example_in_the_description_is_valid(tmp_path):
    example = part_file.__doc__.partition("\n\n")[2]
    assert set(tomllib.loads(example)) == {*part_file._NEEDED, *part_file._OPTIONAL}
    (tmp_path / "example.toml").write_text(example)
    assert part_file.read_one(tmp_path / "example.toml").ram_bytes == 98_816


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flash_bytes": 1}, "unknown key 'flash_bytes': did you mean 'flash_kb'"),
        ({"core": "cortex-m44"}, "unknown core 'cortex-m44': did you mean 'cortex-m4'"),
        ({"core": 4}, "core is 4, one line of"),
        ({"part": " "}, "part is ' ', one line of"),
        ({"part": "a\nb"}, r"part is 'a\\nb', one line of"),
        ({"note": "x" * 201}, "note is 'xxx"),
        ({"flash_kb": 0}, "flash_kb is 0, a number from 0.01 to"),
        ({"ram_kb": -1.5}, "ram_kb is -1.5, a number from"),
        ({"ram_kb": float("nan")}, "ram_kb is nan, a number from"),
        ({"ram_kb": True}, "ram_kb is True, a number from"),
        ({"ram_kb": "64"}, "ram_kb is '64', a number from"),
        ({"clock_mhz": 10_001}, "clock_mhz is 10001, a number from"),
        ({"clock_mhz": [80]}, r"clock_mhz is \[80\], a number from"),
        ({"external_flash": 1}, "external_flash is 1, true or false expected"),
    ],
)
def test_an_impossible_value_is_one_line(tmp_path, changes, said):
    with pytest.raises(UserError, match=said) as caught:
        part_file.read_one(written(tmp_path, BOARD | changes))
    assert "my_board.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_values_are_named(tmp_path):
    with pytest.raises(UserError, match=r"core and ram_kb missing: give part, core, flash_kb, ram_kb"):
        part_file.read_one(written(tmp_path, {"part": "x", "flash_kb": 1}))


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.toml").write_text("part = ")
    (tmp_path / "latin.toml").write_bytes(b'part = "\xe4"')
    (tmp_path / "folder.toml").mkdir()
    for name, said in (
        ("absent.toml", "No such file"),
        ("folder.toml", "Is a directory"),
        ("bad.toml", "is not TOML"),
        ("latin.toml", "is not TOML"),
        ("a b.toml", "name it by letters"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            part_file.read_one(tmp_path / name)
        assert "\n" not in str(caught.value)


keys = st.sampled_from([*part_file._NEEDED, *part_file._OPTIONAL]) | st.text("abc_", min_size=1, max_size=5)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("a \n", max_size=5)
    | st.sampled_from(sorted(CORES))
)


@given(content=st.dictionaries(keys, values | st.lists(values, max_size=2)))
def test_whatever_it_contains_is_a_part_or_one_line(content):
    said = ""
    try:
        found = part_file._target("x", content, "x.toml")
    except UserError as error:
        said = str(error)
    assert said.isprintable()
    if not said:
        assert found.flash_bytes > 0
        assert found.ram_bytes > 0
        assert found.clock_hz is None or found.clock_hz > 0
