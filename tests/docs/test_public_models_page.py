"""The table of `docs/public_models.md` is the one that `make public-models` writes."""

import json

import public_models


def test_the_table_is_that_of_the_results():
    results = json.loads(public_models.RESULTS.read_text(encoding="utf-8"))
    page = public_models.PAGE.read_text(encoding="utf-8")
    assert public_models.table(results["models"]) in page
    assert f"on {results['images']} generated inputs" in page
    for name, found in results["models"].items():
        assert all((found["source"], found["licence"])), name
