"""`python -m keras_satkd.lower`: a run's next training as a program for a machine that has JAX but no TensorFlow.

    python -m keras_satkd.lower --data EuroSAT_RGB.zip --workdir runs/eurosat
    python run_lowered.py distillation          # there, with the folder runs/eurosat/lowered/distillation
    python -m keras_satkd.distill --data EuroSAT_RGB.zip --workdir runs/eurosat

It takes the settings of `keras_satkd.distill` and `keras_satkd.teach`, does what the training needs (images, teachers'
logits), and stops before the training. With `trained.npz` back in its folder, the run continues after it.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.lower", "Write a run's next training as a program that JAX alone runs.", _work_on)


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import lower_next
    lower_next(run)


if __name__ == "__main__":
    main()
