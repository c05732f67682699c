from keras_satkd.evaluation.score_tables import tables

SCORES = {f"{kind}_{score}": 0.5 for kind in ("macro", "weighted") for score in ("precision", "recall", "f1")}
RESULT = {
    "split": "test",
    "accuracy": 0.875,
    "ece": 0.1,
    **SCORES,
    "per_class": {"[red]": {"images": 1200, "precision": 0.75, "recall": 0.25}},
}


def cells(table):
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


def test_scores_of_all_and_of_each_class():
    scores, classes = tables(RESULT)
    assert [column.header for column in scores.columns] == ["test %", "accuracy", "precision", "recall", "F1", "ECE"]
    assert cells(scores)[0] == ["macro", "87.50", "50.00", "50.00", "50.00", "10.00"]
    assert cells(classes) == [[r"\[red]", "1,200", "75.00", "25.00"]]


def test_what_was_asked_for_follows():
    attacked = {"epsilon": 4.0, "steps": 20, "step_size": 0.5, "accuracy": 0.125}
    found = tables(RESULT | {"pgd": attacked, "corruptions": {"motion_blur": [0.5] * 5}})
    assert cells(found[2]) == [["motion blur", *["50.00"] * 5]]
    assert cells(found[3]) == [["", "4", "20", "0.5", "12.50"]]


def test_behind_a_sensor():
    behind = {"sensor": "poor", "clean": 1.0, "all": 0.5, "parts": {"snr": 0.75}}
    assert cells(tables(RESULT | {"behind": behind})[2]) == [
        ["clean", "100.00"],
        ["snr", "75.00"],
        ["all parts", "50.00"],
    ]
