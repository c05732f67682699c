"""Every command of the page about ways of teaching, executed on made-up images, with a small student and no export."""

import json
import shlex
import shutil

import pytest
import tf_keras
from documented_commands import commands
from markdown_text import ROOT
from tests_support import by_color, draw_colors, tiny_network

from keras_satkd import cli, evaluate
from keras_satkd.models import student_registry, teacher_zoo
from keras_satkd.models.teacher import Teacher
from keras_satkd.pipeline import inputs, steps, teach
from keras_satkd.run import history
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DISTILLATION

COMMANDS = commands(ROOT / "docs" / "teaching.md")
CLASSES, SIZE = ("Fire", "Forest", "Water"), 16
QUICK = shlex.split(
    f"--student small-of-the-page --data.image-size {SIZE} --data.cache-dir cache --distillation.epochs 2 "
    "--distillation.batch-size 20 --distillation.views 1 --quantization.epochs 0 --teachers.accept-weak"
)
TAUGHT = ["--teachers.names", "my_teacher.keras"]
OWN = {
    "progressive": ["--teachers.names", "my_teacher.keras", "weak_teacher.keras"],
    "capacity": [*TAUGHT, "--distillation.capacity.steps", "2"],
    "born_again": ["--distillation.rounds", "2"],
    "concurrent": ["--distillation.adversarial.steps", "2"],
    "few_labels": shlex.split(
        "--teachers.names mobilevit_xxs@64 --teachers.initial-weights none --teachers.epochs 1 --teachers.batch-size 6 "
        "--teachers.fixmatch.ratio 2 --distillation.pseudo-label-confidence 0"
    ),
}


def build(image_size, classes, channels):
    layers = tf_keras.layers
    image = layers.Input((image_size, image_size, channels))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, 2, name="convolution")(image))
    return tf_keras.Model(
        image, layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D()(layers.ReLU()(x)))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teaching")
    draw_colors(folder / "my_images", CLASSES, 30, SIZE)
    by_color().save(folder / "my_teacher.keras")
    tiny_network(seed=5).save(folder / "weak_teacher.keras")
    return folder


def small_teacher(specification, classes, *arguments, **settings):
    """In place of a network that takes minutes."""
    return Teacher("mobilevit_xxs", tiny_network(classes, SIZE), SIZE, "0..1")


def preset(command):
    return command.words[command.words.index("--config") + 1]


@pytest.mark.slow
@pytest.mark.parametrize("command", [each for each in COMMANDS if "--config" in each.words], ids=preset)
def test_it_teaches_a_student(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(inputs.own_student, "check", lambda *arguments, **settings: None)  # quantizes, for seconds
    monkeypatch.setattr(teach.teachers, "build", small_teacher)
    student_registry.register("small-of-the-page", build)
    name = preset(command)
    config, workdir, _ = cli.parse(command.module, "", [*command.words[3:], *QUICK, *OWN[name]])
    run = Run(workdir, config)
    _, student, targets = steps.distilled_student(run)
    assert student.get_layer("convolution").filters == 4
    phases = {row["phase"]: row for row in history.read(run.path(history.FILE))}
    last = phases["distillation"]
    if name == "born_again":
        assert set(phases) == {"distillation-1", "distillation"}
    elif name == "progressive":
        assert (last["weight_my_teacher"], last["weight_weak_teacher"]) == ("1.0", "0.0")
    elif name == "concurrent":
        assert 0 <= float(last["natural_accuracy"]) <= 1
    elif name == "few_labels":
        assert 0 <= float(phases["teacher-mobilevit_xxs@64"]["sure"]) <= 1
        assert sum(run.results[DISTILLATION].pseudo_labels.values()) == 3 * (21 - 5)
        assert len(targets.teachers) == 1
    assert {*teacher_zoo.ARCHITECTURES} >= {"mobilevit_xxs"}


@pytest.mark.slow
def test_robust_accuracy(folder, tmp_path, monkeypatch, call_in_process):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "my_images", "my_images")
    [command] = [each for each in COMMANDS if each.module == "keras_satkd.evaluate"]
    file = tmp_path / command.words[3]
    file.parent.mkdir(parents=True)
    by_color().save(file)
    assert file.name == STUDENT_FILE
    code, said, error = call_in_process(evaluate.main, "evaluate", *command.words[3:], "-q", "--json")
    assert code == 0, error
    found = json.loads(said)
    assert found["accuracy"] == found["pgd"]["accuracy"] == 1.0  # classes lie 100 levels apart
    assert (found["pgd"]["epsilon"], found["pgd"]["steps"], found["pgd"]["step_size"]) == (4.0, 20, 0.5)
    code, _, error = call_in_process(evaluate.main, "evaluate", *command.words[3:], "-q", "--pgd", "0")
    assert (code, error) == (2, "error: PGD of 0 levels in steps of 0: give above 0 to 255, and steps above 0\n")
