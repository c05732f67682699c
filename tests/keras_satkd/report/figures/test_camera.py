from drawn_figures import drawn

from keras_satkd.camera.suite import HELD_OUT, KINDS
from keras_satkd.report.figures import camera


def test_every_severity_with_its_accuracy():
    kinds = {
        name: {
            "group": kind.group,
            "unit": kind.unit,
            "severities": kind.severities,
            "accuracy": [1 - 0.1 * step for step in range(len(kind.severities))],
        }
        for name, kind in KINDS.items()
    }
    words = drawn(lambda figure: camera.accuracies(figure, kinds, HELD_OUT), camera.size(kinds))
    assert {"SNR at the image's mean", "haze, transmission *", "0.05\n100.0", "2\n50.0"} <= set(words)
