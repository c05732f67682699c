"""Classification metrics from logits."""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from tqdm import tqdm

from keras_satkd.evaluation.calibration import expected_calibration_error


def score(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, macro and weighted precision, recall and F1, and calibration error, each in [0, 1].

    The paper says "macro" but its code computes scikit-learn's `weighted`, so both are returned. Macro means are
    over the classes that occur in `labels`.

    Args:
        logits: float [N, C].
        labels: int [N].
    """
    predicted = logits.argmax(axis=1)
    scores = {"accuracy": float(accuracy_score(labels, predicted))}
    # New images may lack classes, and scikit-learn by default counts a class that is only predicted, with recall 0.
    present = np.unique(labels)
    for average in ("macro", "weighted"):
        parts = precision_recall_fscore_support(labels, predicted, labels=present, average=average, zero_division=0.0)[
            :3
        ]
        scores |= {
            f"{average}_{name}": float(part) for name, part in zip(("precision", "recall", "f1"), parts, strict=True)
        }
    scores["ece"] = expected_calibration_error(softmax(logits, axis=1), labels)
    return scores


def predict(
    logits_of: Callable[[np.ndarray], np.ndarray], images: np.ndarray, description: str, batch_size: int = 128
) -> np.ndarray:
    """Logits of many images, with a progress bar.

    Args:
        logits_of: uint8 [B, H, W, 3] → [B, C].
        images: uint8 [N, H, W, 3].
        description: text of the progress bar.
        batch_size: B.

    Returns:
        float32 [N, C].
    """
    starts = tqdm(range(0, len(images), batch_size), desc=description, unit="batch", leave=None, disable=None)
    return np.concatenate([np.asarray(logits_of(images[at : at + batch_size]), np.float32) for at in starts])
