"""Where a training runs, and where it keeps its state."""

from dataclasses import dataclass
from pathlib import Path

from keras_satkd.run.folder import Run
from keras_satkd.run.remote_folder import RemoteFolder
from keras_satkd.training.parallel import ONE, Parallel


@dataclass(frozen=True)
class Place:
    """The folder and the devices of a training.

    Attributes:
        workdir: the run's folder.
        lowers: write the training as a program instead of running it.
        parallel: the devices that train.
        remote: where the folder is brought after each epoch; None if it is only on this machine.
    """

    workdir: Path
    lowers: bool = False
    parallel: Parallel = ONE
    remote: RemoteFolder | None = None

    @classmethod
    def of(cls, run: Run) -> "Place":
        """That of a run."""
        return cls(run.workdir, run.lowers, run.parallel or ONE, run.remote)
