"""Whether a model is fed as it was trained and its outputs are read in the right order, judged by labelled images."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware_export.verify import contradictions
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.models.formats import files
from keras_satkd.models.teacher import Teacher


def other_input(
    teacher: Teacher, images: np.ndarray, labels: np.ndarray, logits_of: Callable[[Teacher, np.ndarray], np.ndarray]
) -> str | None:
    """What to state of a teacher that answers clearly better in another input range or with blue before red, or None.

    Args:
        teacher: as it is set up.
        images: uint8 [N, H, W, C], labelled.
        labels: int [N].
        logits_of: a teacher's logits of images, float [N, classes].
    """
    chosen = contradictions.few(len(images))

    def answers(input_range: str, is_reversed: bool) -> np.ndarray:
        bands = tuple(reversed(teacher.bands or (0, 1, 2))) if is_reversed else teacher.bands
        other = replace(teacher, input_range=input_range, bands=bands)
        return np.asarray(logits_of(other, images[chosen]).argmax(axis=1))

    ranges = files.candidate_ranges(teacher.network)
    found = contradictions.other_input(answers, labels[chosen], teacher.input_range, ranges, teacher.channels)
    if found is None:
        return None
    return f"{found.said}: state {_settings(teacher.bands, found, with_range=True)} in its TOML file"


def doubt(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, bands: Sequence[str], *, by_options: bool = True
) -> str | None:
    """What the labels say against how a model is fed or, if nothing, how it is read.

    Args:
        classifier: the model.
        images: uint8 [N, H, W, C], of its size and bands.
        labels: int [N], positions among its outputs.
        bands: as chosen with `--data.bands`; empty for all.
        by_options: whether options of the command are for this model; otherwise, it needs a TOML file.
    """
    chosen = contradictions.few(len(images))
    images, labels = images[chosen], labels[chosen]

    def answers(input_range: str, is_reversed: bool) -> np.ndarray:
        logits = classifier.logits
        if classifier.with_range is not None and input_range != classifier.input_range:
            logits = classifier.with_range(input_range)
        seen = np.ascontiguousarray(images[..., ::-1]) if is_reversed else images
        return np.asarray(logits(seen).argmax(axis=1))

    given, ranges = classifier.input_range, classifier.ranges
    found = contradictions.other_input(answers, labels, given, ranges, classifier.channels)
    if found is not None:
        return f"{found.said}: if they are like those of its training, {_remedy(classifier, found, bands, by_options)}"
    names = classifier.class_names or tuple(map(str, range(classifier.classes)))
    order = contradictions.other_order(classifier.logits(images).argmax(axis=1), labels, names)
    file = Path(classifier.name).with_suffix(".json")
    return order and (
        f"{order}: if they are like those of its training, correct the class_names of the data, or those in {file} "
        "beside the model"
    )


def _remedy(classifier: Classifier, found: contradictions.OtherInput, bands: Sequence[str], by_options: bool) -> str:
    is_other = found.input_range != classifier.input_range
    own = () if classifier.teacher is None else classifier.teacher.bands
    if not by_options or classifier.name.endswith(".toml"):
        return f"state {_settings(own, found, with_range=is_other)} in its TOML file"
    words = [f"--input-range {found.input_range}"] * is_other
    words += [f"--data.bands {' '.join(reversed(bands or '123'))}"] * found.is_reversed
    return f"give {' and '.join(words)}"


def _settings(bands: Sequence[int], found: contradictions.OtherInput, *, with_range: bool) -> str:
    words = [f'input_range = "{found.input_range}"'] * with_range
    words += [f"bands = {[band + 1 for band in reversed(bands or (0, 1, 2))]}"] * found.is_reversed
    return " and ".join(words)
