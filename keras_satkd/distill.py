"""`python -m keras_satkd.distill`: from images to C whose results were checked against TensorFlow Lite Micro.

    python -m keras_satkd.distill --data EuroSAT_RGB.zip --workdir runs/eurosat
    python -m keras_satkd.distill --config demo

Repeat the command to resume an interrupted run. `metrics.json` in its folder lists the finished steps.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.distill", "Distill teachers into a student and export it as C arrays for TFLM.", _work_on)


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import distil
    distil(run)


if __name__ == "__main__":
    main()
