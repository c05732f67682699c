"""`make bench`: the relative costs of the parts of training, measured in one run.

Absolute times mean little on a shared machine. Every kind of step is therefore timed in turn, round after round, and
the ratios of the medians are printed.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from firmware_export.common.stderr import captured_stderr

with captured_stderr():
    from firmware_export.images.image_set import ImageSet
    from keras_satkd.camera.training import Mixture
    from keras_satkd.config import DistillationConfig, MixingConfig
    from keras_satkd.data import augment, mix, synthetic
    from keras_satkd.distiller import Distiller
    from keras_satkd.losses import as_loss
    from keras_satkd.models import students, teachers
    from keras_satkd.pipeline import methods
    from keras_satkd.registry import LOSSES
    from keras_satkd.settings.method_config import AdversarialConfig, CapacityConfig
    from keras_satkd.training.batches import training_batches
    from keras_satkd.training.fit import computes_bfloat16, precision
    from keras_satkd.training.view_logits import ViewLogits

BATCH = 128
PAPERS_BATCH = 64
ROUNDS = 12
METHOD_ROUNDS = 4
"""Fewer, because teachers run in some of the steps."""
PLAIN_STEP = "plain-step"
TEACHERS = ("efficientvit_m2@96", "mobilevitv2_100@64")


def scenes(number: int = 1024) -> ImageSet:
    """Noise in the shape of EuroSAT images; speed does not depend on the content."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (number, 64, 64, 3), np.uint8)
    labels = random.integers(0, 10, number, np.int32)
    return ImageSet(images, labels, tuple(map(str, range(number))), synthetic.CLASS_NAMES)


def view_logits(images: ImageSet, count: int) -> ViewLogits:
    """Precomputed logits of `count` teachers and four views."""
    logits = np.random.default_rng(0).normal(0, 3, (len(images), 4, count, 10)).astype(np.float16)
    draws, mixing_draws = (numbers.view_draws(len(images), 4, 0) for numbers in (augment, mix))
    return ViewLogits(draws, logits, mixing_draws=mixing_draws)


def stepper(distiller: Distiller, batches: Iterator) -> Callable[[], None]:
    """A function that runs one full training step: the next batch of the pipeline, and the optimizer."""
    distiller.compile(optimizer="adam")
    distiller.make_train_function()
    return lambda: distiller.train_function(batches)


def seconds_each(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each step, measured in turn, after one uncounted round for tracing."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def seconds_in_new_process(onednn: str) -> float:
    """Median seconds of a plain step with oneDNN ("1") or without ("0"), which TensorFlow decides at import."""
    command = [sys.executable, "-m", "tests.bench", PLAIN_STEP]
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn}
    return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def plain_step() -> None:
    """Measure only a plain step and print its median seconds, for the parent process."""
    distiller = Distiller(students.build("resnet8", 64, 10))
    batches = training_batches(scenes(), batch_size=BATCH, augmentation="satellite", seed=0)
    print(seconds_each({PLAIN_STEP: stepper(distiller, iter(batches.repeat()))}, ROUNDS)[PLAIN_STEP])


def seconds_of_help() -> float:
    """Median wall time of `--help` in seconds, including the start of the interpreter."""
    command = [sys.executable, "-m", "keras_satkd.distill", "--help"]
    return seconds_each({"help": lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)}, 3)["help"]


def method_steps(frozen: list, batches: Callable[..., Iterator], known: ViewLogits) -> dict[str, Callable[[], None]]:
    """A step of each distillation loss: with stored logits, or with the teachers in the loop if it needs more."""
    steps = {}
    for loss in LOSSES.names():
        student = students.build("resnet8", 64, 10)
        needs = as_loss(loss)[0].needs
        if needs == "logits":
            distiller = Distiller(student, teacher_names=[teacher.name for teacher in frozen], loss=loss)
            steps[f"{loss} (stored logits)"] = stepper(distiller, batches(known))
        else:
            steps[f"{loss} ({needs}, teachers in the loop)"] = stepper(
                Distiller(student, frozen, loss=loss), batches(None)
            )
    return steps


def way_steps(batches: Iterator) -> dict[str, Callable[[], None]]:
    """A step of each way of teaching that changes the student's training, without teachers."""
    ways = {
        "adversarial concurrent training, 7 steps": DistillationConfig(
            adversarial=AdversarialConfig(epsilon=4.0, steps=7)
        ),
        "a student that shrinks, at twice its width": DistillationConfig(capacity=CapacityConfig(widest=2.0)),
    }
    steps = {}
    for name, settings in ways.items():
        network, method = methods.of_student(settings, lambda: students.build("resnet8", 64, 10))
        steps[name] = stepper(method.distiller(network), batches)
    return steps


def main() -> None:
    """Measure and print."""
    images = scenes()
    frozen = [teachers.build(name, 10, "none") for name in TEACHERS]
    names = [teacher.name for teacher in frozen]
    known = view_logits(images, len(frozen))

    def batches(
        logits: ViewLogits | None,
        batch_size: int = BATCH,
        augmentation: str = "satellite",
        camera: Mixture | None = None,
        mixing: MixingConfig | None = None,
    ) -> Iterator:
        settings = {"batch_size": batch_size, "augmentation": augmentation, "camera": camera, "mixing": mixing}
        return iter(training_batches(images, seed=0, view_logits=logits, **settings).repeat())

    def student(mixed_precision: str = "off"):
        with precision(mixed_precision):
            return students.build("resnet8", 64, 10)

    steps = {
        "plain": stepper(Distiller(student()), batches(None)),
        "precomputed": stepper(Distiller(student(), teacher_names=names), batches(known)),
        "in-loop": stepper(Distiller(student(), frozen), batches(None)),
        "small": stepper(Distiller(student(), teacher_names=names), batches(known, PAPERS_BATCH)),
        "kerascv": stepper(Distiller(student()), batches(None, augmentation="randaugment")),
        # Training as in the paper, and as in this project.
        "before": stepper(Distiller(student(), frozen), batches(None, PAPERS_BATCH, "randaugment")),
        "after": stepper(Distiller(student("auto"), teacher_names=names), batches(known)),
    }
    times = seconds_each(steps, ROUNDS)
    measured = {
        PLAIN_STEP: stepper(Distiller(student()), batches(None)),
        **{f"loss {name}": step for name, step in method_steps(frozen, batches, known).items()},
        **way_steps(batches(None)),
    }
    method_times = seconds_each(measured, METHOD_ROUNDS)
    # The pipeline without training; many batches, because it prefetches.
    alone = batches(known)
    mixed = batches(known, mixing=MixingConfig(method="both"))
    disturbed = batches(known, PAPERS_BATCH, camera=Mixture())
    inputs = {
        "clean": lambda: [next(alone) for _ in range(40)],
        "mixing": lambda: [next(mixed) for _ in range(40)],
        "camera": lambda: [next(disturbed) for _ in range(40)],
    }
    pipeline, with_mixing, behind_camera = (taken / 40 for taken in seconds_each(inputs, 5).values())

    table = Table("ratio", "measured", "aim", title=f"batch {BATCH}, median of {ROUNDS} steps each, in turn")
    table.add_row("step with precomputed logits / plain step", f"{times['precomputed'] / times['plain']:.2f}", "≤ 1.1")
    table.add_row("step with teachers in the loop / plain step", f"{times['in-loop'] / times['plain']:.1f}", "")
    bfloat16 = "bfloat16" if computes_bfloat16() else "no bfloat16 here: float32"
    table.add_row(
        f"float32 step / step with --mixed-precision auto ({bfloat16})",
        f"{times['precomputed'] / times['after']:.2f}",
        "",
    )
    small = BATCH / PAPERS_BATCH * times["small"] / times["precomputed"]
    table.add_row(f"images per second in batches of {BATCH} / of {PAPERS_BATCH}", f"{small:.2f}", "")
    table.add_row("step with KerasCV's RandAugment / with array views", f"{times['kerascv'] / times['plain']:.2f}", "")
    onednn = seconds_in_new_process("0") / seconds_in_new_process("1")
    table.add_row("step without oneDNN / with it, the default", f"{onednn:.2f}", "")
    table.add_row("images per second, input / training", f"{times['precomputed'] / pipeline:.1f}", "≥ 3")
    ratio = times["precomputed"] / with_mixing
    table.add_row("the same, half of the images mixed", f"{ratio:.1f}", "≥ 3")
    ratio = times["small"] / behind_camera
    table.add_row(f"the same in batches of {PAPERS_BATCH}, half of the images disturbed", f"{ratio:.1f}", "≥ 3")
    for name, taken in method_times.items():
        if name != PLAIN_STEP:
            table.add_row(f"step of {name} / plain step", f"{taken / method_times[PLAIN_STEP]:.2f}", "")
    table.add_row("seconds for --help", f"{seconds_of_help():.2f}", "< 1")
    Console().print(table)
    print(
        f"training {BATCH / times['precomputed']:.0f} images/s in float32, input alone {BATCH / pipeline:.0f} images/s"
    )
    print(
        f"before (teachers in the loop, RandAugment, float32, batches of {PAPERS_BATCH}): "
        f"{PAPERS_BATCH / times['before']:.0f} images/s; after (precomputed logits, array views, "
        f"{bfloat16.split()[-1]}, batches of {BATCH}): {BATCH / times['after']:.0f} images/s"
    )


if __name__ == "__main__":
    if sys.argv[1:] == [PLAIN_STEP]:
        plain_step()
    else:
        main()
    sys.stdout.flush()
    # The endless pipelines prefetch and would keep the interpreter from exiting.
    os._exit(0)
