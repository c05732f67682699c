import pytest
from drawn_figures import drawn

from keras_satkd.report.figures import study


@pytest.mark.parametrize(
    ("seeds", "told"), [((1, 1), "1 seed per row"), ((3, 3), "3 seeds per row"), ((2, 1), "1 or 2 seeds per row")]
)
def test_rows_of_a_study(seeds, told):
    summaries = [
        {
            "row": f"row {number}",
            "student": "resnet8",
            "seeds": count,
            "images": 4860,
            "accuracy": (0.94, 0.003 if count > 1 else None),
        }
        for number, count in enumerate(seeds)
    ]
    texts = drawn(lambda figure: study.rows(figure, summaries), size=(9, 5))
    assert {f"resnet8, {told}", "row 0", "row 1"} <= set(texts)
