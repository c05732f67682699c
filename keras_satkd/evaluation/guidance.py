"""Guidance at run time: the part answers the images it is sure of, and a teacher on the ground answers the others.

With the student's margin m_i (between its two highest outputs) for image i, and a threshold t:

    sent(t)     = mean over i of [m_i < t]
    accuracy(t) = mean over i of [m_i ≥ t][student is right] + [m_i < t][teacher is right]
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from firmware_export.verify.abstention import top_margins

SHARES = (0.0, 0.05, 0.1, 0.2)
"""Shares of images sent to the ground whose accuracy is in the table."""


def curves(
    outputs: np.ndarray, labels: np.ndarray, teachers: Mapping[str, np.ndarray], threshold: int | None = None
) -> dict[str, Any]:
    """Accuracy of the student with each teacher over the share of images sent to the ground, as plain values for JSON.

    Args:
        outputs: the student's int8 codes or float logits, [N, C], N ≥ 1, C ≥ 2.
        labels: int [N].
        teachers: bool [N] of each teacher, whether it is right, by name.
        threshold: the student's abstention threshold in output codes, if it has one.

    Returns:
        `images` (N); `threshold`, if there is one; and `curves`, one for each teacher: `teacher`, its name; `sent` and
        `accuracy` in [0, 1], both lists over thresholds from no image sent upward; `teacher_accuracy`, that of the
        teacher alone; and with a threshold `at_threshold`: `sent` and `accuracy` there.
    """
    margins, is_right = top_margins(outputs), outputs.argmax(axis=1) == labels
    order = np.argsort(margins, kind="stable")
    # Images of equal margin are sent together.
    ends = np.append(np.searchsorted(margins[order], np.unique(margins)), len(labels))
    found = []
    for name, is_known in teachers.items():
        gains = np.append(0, np.cumsum(is_known[order].astype(int) - is_right[order]))[ends]
        curve = {
            "teacher": name,
            "sent": (ends / len(labels)).tolist(),
            "accuracy": ((is_right.sum() + gains) / len(labels)).tolist(),
            "teacher_accuracy": float(is_known.mean()),
        }
        if threshold is not None:
            is_sent = margins < threshold
            right = np.where(is_sent, is_known, is_right)
            curve["at_threshold"] = {"sent": float(is_sent.mean()), "accuracy": float(right.mean())}
        found.append(curve)
    return {"images": len(labels), **({} if threshold is None else {"threshold": threshold}), "curves": found}


def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table in percent, from the result of `curves`.

    The accuracy at a share is that of the largest threshold that sends no more images than it. With the student's
    threshold, the last two columns are the share sent and the accuracy there.
    """
    has_threshold = "threshold" in found
    headings = ["accuracy % by share sent", *(f"{share:.0%}" for share in SHARES), "all"]
    headings += ["sent %", "accuracy %"] if has_threshold else []
    rows = []
    for curve in found["curves"]:
        sent = np.array(curve["sent"])
        values = [curve["accuracy"][int(np.count_nonzero(sent <= share)) - 1] for share in SHARES]
        values.append(curve["teacher_accuracy"])
        values += [curve["at_threshold"][key] for key in ("sent", "accuracy")] if has_threshold else []
        rows.append([curve["teacher"], *(f"{100 * value:.2f}" for value in values)])
    return headings, rows
