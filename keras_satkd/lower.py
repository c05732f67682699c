"""`python -m keras_satkd.lower`: write a run's next training as a program for a machine with JAX but no TensorFlow.

    python -m keras_satkd.lower --data EuroSAT_RGB.zip --workdir runs/eurosat
    python run_offloaded.py distillation   # on that machine, with the folder runs/eurosat/lowered/distillation
    python -m keras_satkd.distill --data EuroSAT_RGB.zip --workdir runs/eurosat

It takes the settings of `keras_satkd.distill` and `keras_satkd.teach`, prepares the inputs of the training (images,
teacher logits), and stops before the training. Copy `trained.npz` back into the folder, and the run continues as if it
had trained here. This machine needs JAX too, to write the program: `pip install "keras_satkd[lowered]"`.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main(
        "keras_satkd.lower",
        "Write a run's next training as a program that runs with JAX alone.",
        _work_on,
        trains=False,
    )


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import lower_next
    lower_next(run)


if __name__ == "__main__":
    main()
