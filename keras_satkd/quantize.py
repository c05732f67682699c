"""`python -m keras_satkd.quantize`: run the pipeline up to the int8 student, without an export.

    python -m keras_satkd.quantize --config demo

Earlier steps that are missing run first. Finished steps are not repeated.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.quantize", "Distill and quantize a student, without firmware or report.", _work_on)


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import quantize_only
    quantize_only(run)


if __name__ == "__main__":
    main()
