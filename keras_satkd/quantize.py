"""`python -m keras_satkd.quantize`: quantization-aware training of a run's student, and stop there.

    python -m keras_satkd.quantize --config demo

It does what is missing of the steps before: a finished one is not done again.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.quantize", "Distil and quantize a student, without firmware and report.", _work_on)


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import quantize_only
    quantize_only(run)


if __name__ == "__main__":
    main()
