"""`python -m keras_satkd.distill`: from images to C arrays that TensorFlow Lite Micro has executed and agreed with.

    python -m keras_satkd.distill --data EuroSAT_RGB.zip --workdir runs/eurosat
    python -m keras_satkd.distill --config demo

A run that was stopped goes on with the same command. `metrics.json` in its folder says which steps are done.
"""

from typing import NoReturn

from keras_satkd import cli


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.distill", "Distil teachers into a student and export it as C arrays for TFLM.", "distil")


if __name__ == "__main__":
    main()
