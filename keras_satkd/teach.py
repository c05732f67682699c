"""`python -m keras_satkd.teach`: fine-tune the teachers of a run, without a student.

    python -m keras_satkd.teach --data EuroSAT_RGB.zip --teachers.names efficientvit_m2@128 --workdir runs/teacher

Any other run can then use the folder `runs/teacher/teachers/efficientvit_m2@128` in `--teachers.names`.
"""

from typing import NoReturn

from keras_satkd import cli
from keras_satkd.run.folder import Run


def main() -> NoReturn:
    """The command line."""
    cli.main("keras_satkd.teach", "Fine-tune the teachers of a run.", _work_on)


def _work_on(run: Run) -> None:
    with cli.quiet_imports():
        from keras_satkd.pipeline.steps import teach_only
    teach_only(run)


if __name__ == "__main__":
    main()
