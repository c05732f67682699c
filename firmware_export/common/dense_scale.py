"""How TensorFlow Lite Micro multiplies the scales of a dense layer, which differs between its versions."""

from enum import StrEnum


class DenseScale(StrEnum):
    """The levels of `--dense-scale`: the product of the scales of input and weights, where the weights have one scale.

    Source: `GetQuantizedConvolutionMultipler`, in TFLM's `kernel_util.cc`.
    """

    FLOAT = "float"
    """In float32: TFLM's source up to August 2026."""
    DOUBLE = "double"
    """In double: the `tflite-micro` package, which the export verifies with."""

    @property
    def versions(self) -> str:
        """The versions of TFLM that compute so."""
        return {
            DenseScale.FLOAT: "TFLM up to 20 August 2026 (commit 90b983c)",
            DenseScale.DOUBLE: "the tflite-micro package of 23 October 2026 (commit 8f6596d)",
        }[self]
