"""How many flips to draw, and how certain a share of them is.

Wilson's score interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
"""

import math

from firmware_export.common.errors import UserError

CONFIDENCE = 0.95
"""Of every interval."""
Z = 1.959963984540054
"""The two-sided 95 % quantile of the normal distribution."""

Interval = tuple[float, float]
"""Lowest and highest probability."""


def wilson(count: int, total: int) -> Interval:
    """The interval of a probability of which `count` of `total` independent trials are known.

    Args:
        count: from 0 to `total`.
        total: at least 1.

    >>> [round(bound, 4) for bound in wilson(0, 1000)], [round(bound, 4) for bound in wilson(5, 10)]
    ([0.0, 0.0038], [0.2366, 0.7634])
    """
    share, squared = count / total, Z * Z
    middle = share + squared / (2 * total)
    reach = Z * math.sqrt(share * (1 - share) / total + squared / (4 * total * total))
    scale = 1 + squared / total
    low = 0.0 if count == 0 else (middle - reach) / scale
    high = 1.0 if count == total else (middle + reach) / scale
    return low, high


def samples_for(margin: float) -> int:
    """The injections for which no 95 % interval reaches farther than `margin` from the share: ⌈z² / 4 margin²⌉.

    Raises:
        UserError: the margin is not between 0.001 and 0.5.

    >>> samples_for(0.02)
    2401
    """
    if not 0.001 <= margin <= 0.5:
        raise UserError(f"--margin {margin:g}, a number from 0.001 to 0.5 expected: give 0.02 for ±2 %, for example")
    return math.ceil(Z * Z / (4 * margin * margin))
