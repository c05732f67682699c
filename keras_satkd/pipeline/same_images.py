"""Whether a resumed run has the images of its finished steps: their names, their pixels, and how they became codes."""

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet
from firmware_export.images.scaling import Scaling
from firmware_export.images.scaling import load as load_scaling
from keras_satkd.data import pixel_digest
from keras_satkd.data.splits import Split
from keras_satkd.run.artifacts import SCALING_FILE
from keras_satkd.run.folder import Run, describe_changes
from keras_satkd.run.stages import DATA


def check(run: Run, divided: Split, scaled: Scaling | None, unlabelled: ImageSet | None) -> None:
    """Check that the images are those of the run's finished steps; a run without any passes.

    Args:
        run: the run.
        divided: its images.
        scaled: how they became 8-bit codes; None for ordinary pictures.
        unlabelled: images that the teachers label; None without any.

    Raises:
        UserError: files, classes, parts, pixels or scaling differ. Pixels of a run that did not record their digest,
            and unlabelled images that it did not use, are not compared.
    """
    if DATA not in run.results:
        return
    before = run.results[DATA]
    if before.split_sha256 != divided.sha256:
        raise UserError(
            f"--workdir {run.workdir} was made with other images than {run.config.data.name} has now: give the same "
            "images, or another folder"
        )
    _check_scaling(run, scaled)
    pixels = [(before.pixels_sha256, divided.pixels_sha256, run.config.data.name)]
    if unlabelled is not None and before.unlabelled_sha256 is not None:
        pixels.append((before.unlabelled_sha256, pixel_digest.of(unlabelled.images), "its unlabelled set"))
    for recorded, found, name in pixels:
        if recorded not in (None, found):
            raise UserError(
                f"--workdir {run.workdir} was made with other pixels than the images of {name} have now, because the "
                "files or the libraries that decode them have changed: restore them, or give another folder"
            )


def _check_scaling(run: Run, scaled: Scaling | None) -> None:
    """Refuse another scaling than finished steps used: the files' samples have changed."""
    file = run.path(SCALING_FILE)
    digest = (run.results[DATA].sha256 or {}).get(SCALING_FILE)
    if digest is None or not file.exists() or digests.of(file) != digest:
        return
    before = load_scaling(file)
    if before != scaled:
        changed = "is not needed now" if scaled is None else f"is now {describe_changes(_changes(before, scaled))}"
        raise UserError(
            f"--workdir {run.workdir} was made with another scaling of samples to codes ({SCALING_FILE}), which "
            f"{changed}: give the same images, or another folder"
        )


def _changes(before: Scaling, now: Scaling) -> dict[str, tuple[object, object]]:
    old, new = before.to_dict(), now.to_dict()
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
