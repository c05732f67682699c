import pytest
from drawn_figures import drawn

from keras_satkd.report.figures import training


def rows(epochs: int) -> list[dict[str, str]]:
    return [
        {"epoch": str(epoch), "accuracy": str(1 - 0.5 / epoch), "val_accuracy": str(1 - 0.6 / epoch)}
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 2, 500])
def test_learning_curves(epochs):
    assert "validation" in drawn(lambda figure: training.score(figure, rows(epochs), "accuracy"))


def test_the_score_that_selects_the_epoch_is_drawn():
    given = [{**row, "macro_f1": "0.5", "val_macro_f1": "0.4"} for row in rows(3)]
    assert "macro F1 %" in drawn(lambda figure: training.score(figure, given, "macro_f1"))


def test_columns_that_a_phase_leaves_empty_are_not_its_own():
    given = [{"weight_a": "0.25", "weight_b": "", "epoch": "1"}]
    assert training.columns(given, "weight_") == {"a": [0.25]}
    assert training.columns([], "weight_") == {}


@pytest.mark.parametrize("names", [["only"], ["a" * 60, "b" * 60], list("abcdefgh")])
def test_shares(names):
    columns = {name: [0.5, 0.6, 0.7] for name in names}
    assert "mean weight" in drawn(lambda figure: training.shares(figure, rows(3), columns, "mean weight"))
