"""`docs/files.md` names every file and key that programs may read."""

import json

import numpy as np
import pytest
from markdown_text import ROOT, code_spans, text

from firmware_export.output import fitting_report, folder
from firmware_export.tflite.input_range import INPUT_RANGES
from keras_satkd.data import cache
from keras_satkd.distiller import Distiller
from keras_satkd.evaluation import metrics, predictions
from keras_satkd.models import pretrained, teachers
from keras_satkd.models.students import build
from keras_satkd.report import html, model_card
from keras_satkd.run import artifacts, history
from keras_satkd.run import folder as run
from keras_satkd.study import results

PAGE = text(ROOT / "docs" / "files.md")
NAMED = set(code_spans(PAGE))


@pytest.mark.parametrize(
    "name",
    [
        *(
            artifacts.CONFIG_FILE,
            run.RESULTS_FILE,
            history.FILE,
            predictions.FILE,
            html.FILE,
            model_card.FILE,
            "split.json",
        ),
        *(
            artifacts.STUDENT_FILE,
            artifacts.VERIFICATION_FILE,
            artifacts.VALIDATION_FILE,
            f"{artifacts.FIRMWARE_FOLDER}/",
        ),
        *(artifacts.QUANTIZED_STUDENT_FILE, artifacts.POST_TRAINING_FILE, artifacts.INT8_FILE),
        *(teachers.WEIGHTS_FILE, teachers.DESCRIPTION_FILE, results.RESULTS_FILE),
        *(fitting_report.FILE, folder.REPORT_FILE),
    ],
)
def test_files(name):
    assert name in NAMED


def test_keys_of_shipped_models():
    described = [json.loads(path.read_text()) for path in pretrained.FOLDER.rglob("*.json")]
    assert len(described) == 8
    keys = {key for each in described for key in (*each, *each["test"], *each["images"])}
    classes = next(iter(described[0]["test"]["per_class"].values()))
    found = {key for key in keys | {*classes} if not any(names(span, key) for span in NAMED)}
    assert found == set()


def names(span: str, key: str) -> bool:
    """Whether a code span names a key; the weighted scores share one."""
    return span == key or (span == "weighted_…" and key.startswith("weighted_"))


def test_scores():
    found = metrics.score(np.eye(3, dtype=np.float32), np.arange(3))
    assert [key for key in found if not any(names(span, key) for span in NAMED)] == []


def test_columns_of_metrics_csv():
    section = PAGE.partition("### metrics.csv")[2].partition("###")[0]
    distiller = Distiller(build("resnet8", 8, 3), teacher_names=("one", "two"))
    columns = {metric.name.replace("one", "NAME").replace("two", "NAME") for metric in distiller.metrics}
    assert [name for name in sorted(columns) if f"`{name}`" not in section] == []


def test_input_ranges():
    assert set(INPUT_RANGES) <= NAMED


def test_caches():
    assert "keras_satkd" in str(cache.cache_folder(None))
    assert "`$XDG_CACHE_HOME/keras_satkd`" in PAGE
