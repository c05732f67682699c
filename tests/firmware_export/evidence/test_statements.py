import pytest

from firmware_export.evidence import statements


@pytest.mark.parametrize(
    ("path", "reduction", "value"),
    [
        (("a", 1, "b"), None, 3),
        (("a", "*", "b"), None, [2, 3]),
        (("a", "*", "b"), "sum", 5),
        (("a", "*", "b"), "count", 2),
        (("c",), None, "d"),
    ],
)
def test_values_are_looked_up(path, reduction, value):
    assert statements.look_up({"a": [{"b": 2}, {"b": 3}], "c": "d"}, path, reduction) == value


def test_a_key_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        statements.look_up({"a": 1}, ("b",))
