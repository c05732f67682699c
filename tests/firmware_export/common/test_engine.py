import pytest

from firmware_export.common.engine import Engine


@pytest.mark.parametrize(("name", "has_tflm", "has_rows"), [("tflm", 1, 0), ("rows", 0, 1), ("both", 1, 1)])
def test_what_each_engine_writes(name, has_tflm, has_rows):
    engine = Engine(name)
    assert (engine.has_tflm, engine.has_rows) == (has_tflm, has_rows)
    assert f"{engine}" == name
