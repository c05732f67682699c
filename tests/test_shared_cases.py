"""Each failing input at ../shared/cases has a test that names it and knows the right outcome."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CASES = TESTS.parents[1] / "shared" / "cases"


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
def test_each_case_has_a_test():
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    without = [case.name for case in CASES.iterdir() if case.is_dir() and not any(case.name in text for text in texts)]
    assert without == []
