"""Every setting of a run, with its default and the reason for it.

The command line, a TOML file (`--config`) and the run's `config.json` mirror these dataclasses one to one. Ranges are
declared on the types, and `config_io.validated` checks them. This module imports neither TensorFlow nor NumPy, so
`--help` is quick.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import Field

from firmware_export.common.command_line import MayBePath
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.settings.firmware_config import FirmwareConfig
from keras_satkd.settings.method_config import AdversarialConfig, CapacityConfig, FixMatchConfig
from keras_satkd.settings.setting_types import (
    ClassWeights,
    Count,
    Epochs,
    Flag,
    Index,
    MixedPrecision,
    Mixing,
    NonNegative,
    Positive,
    Schedule,
    Score,
    Seed,
    Strategy,
    Strict,
    Threshold,
)

PLATEAU_PATIENCE = 10
"""The schedule `plateau` lowers the learning rate after this many epochs without a better validation loss. It is the
default of PyTorch's `ReduceLROnPlateau`, which the paper uses."""


@dataclass(frozen=True)
class CameraConfig(Strict):
    """The camera that disturbs the images of teachers and student."""

    sensor: Annotated[str | None, MayBePath, tyro.conf.arg(aliases=("--sensor",))] = None
    """A sensor's TOML file, one of the package's sensors (`healthy`, `poor`), or `any`: cameras from healthy to poor.
    Training draws from the sensor's ranges; the test uses its values. Without a sensor, images are not disturbed."""
    share: Threshold = 0.5
    """Fraction of the training and validation images that pass through the camera."""
    teachers_see: Literal["disturbed", "clean"] = "disturbed"
    """Views that the teachers see, those of the student and those in `teachers.taught_by`: `disturbed`: the same as
    the student; `clean`: the same before the camera, for teachers that were not trained with a camera."""


@dataclass(frozen=True)
class TrainingConfig(Strict):
    """One training: optimizer (AdamW), schedule and patience."""

    epochs: Epochs = 30
    """Passes over the training images."""
    batch_size: Count = 128
    """Images per step."""
    learning_rate: Positive = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: NonNegative = 5e-4
    """Decoupled weight decay of AdamW."""
    schedule: Annotated[
        Schedule,
        tyro.conf.arg(
            help=f"`cosine`: decay to zero after a warm-up of 5 % of the steps; `plateau`: divide by ten after "
            f"{PLATEAU_PATIENCE} epochs without a better validation loss; `constant`: no change."
        ),
    ] = "cosine"
    average: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    """Momentum of a moving average of the weights (0.999, say), which is validated and kept in their place; 0: none."""
    select: Score = "accuracy"
    """The score on the validation images that selects the best epoch. `macro-f1`: the mean of all classes' F1, in which
    rare classes count as much as frequent ones."""
    patience: Count | None = None
    """Stop after this many epochs without a better score on the validation images. If not set, train all epochs."""


@dataclass(frozen=True)
class MixingConfig(Strict):
    """Each mixed image is made of two training images, and so is its label. Teachers see the same mix; the camera
    disturbs it. QAT mixes as distillation does. Not with averaged teacher logits."""

    method: Mixing = "none"
    """`mixup`: both images, blended; `cutmix`: a box of the other image is pasted; `both`: either, half of the time."""
    share: Threshold = 0.5
    """Part of the training images that are mixed."""
    alpha: Annotated[float, Field(ge=0.01, le=100, strict=True)] = 1.0
    """The image's part in its mix is drawn from Beta(α, α). 1: uniform; below 1: one of both images prevails."""


@dataclass(frozen=True)
class TeachersConfig(TrainingConfig):
    """The teachers and their fine-tuning."""

    names: Annotated[tuple[str, ...], MayBePath] = ()
    """Architectures, optionally with an input size (`efficientvit_m2@128`), or trained teachers:
    folders that `keras_satkd.teach` wrote, shipped teachers (`efficientvit_m2_eurosat`), models (Keras, SavedModel,
    .onnx, .tflite), logits from a file (.npz, .parquet), or .toml files with a teacher's settings.
    An existing path takes precedence over a shipped name; `shipped:NAME` always selects the shipped teacher.
    If empty: the shipped teachers if the classes are EuroSAT's, else `efficientvit_m2@96` and `mobilevitv2_100@64`."""
    initial_weights: Annotated[str, MayBePath] = "auto"
    """`imagenet`: ImageNet weights; `none`: random weights; `auto`: ImageNet weights if available, else random;
    or a trained teacher of the same architecture, to continue its training:
    a folder or a shipped teacher (`NAME`, or `shipped:NAME` if a path of that name exists)."""
    taught_by: Annotated[tuple[str, ...], MayBePath] = ()
    """If given, the teachers are fine-tuned with the distillation loss, under these trained teachers, as in `names`."""
    saved_model_input: Literal["0..1", "-1..1", "0..255", "imagenet"] = "0..1"
    """Input range that a model expects if neither its .toml file nor its quantization states it."""
    bands: Literal["rgb", "all"] = "rgb"
    """Bands that fine-tuned teachers see. `rgb`: --data.rgb; `all`: all of the student's, by a wider first layer that
    keeps the initial weights of red, green and blue. Trained teachers see the bands that they were trained on or that
    their .toml file names."""
    accept_weak: Flag = False
    """Also learn from teachers that are near chance on the validation images, or seem to have another order of classes.
    Without it, they stop the run."""
    trust_models: Annotated[Flag, tyro.conf.arg(aliases=("--trust-model",))] = False
    """Also load Keras models and SavedModels as teachers that can run code on this machine: only if you trust their
    authors."""
    learning_rate: Positive = 1e-3  # the paper's
    """Peak learning rate of AdamW."""
    batch_size: Count = 64
    """Images per step."""
    epochs: Epochs = 25  # the paper's
    """Passes over the training images."""
    patience: Count | None = 8
    """Stop after this many epochs without a better score on the validation images."""
    class_weights: ClassWeights = "none"
    """`balanced`: weight the ground-truth loss of an image inversely to the number of training images of its class."""
    mixed_precision: MixedPrecision = "off"
    """Compute in bfloat16. On a CPU this slows most transformers down."""
    augmentation: str = "satellite"
    """`dihedral`: flips and quarter turns;
    `satellite`: also shifts and changes of brightness and color;
    `strong`: larger changes, and a grey square;
    `randaugment`: RandAugment of KerasCV; `none`;
    or a function of yours, `package.module:name`."""
    mixing: MixingConfig = field(default_factory=MixingConfig)
    fixmatch: FixMatchConfig = field(default_factory=FixMatchConfig)


@dataclass(frozen=True)
class WeightingConfig(Strict):
    """Weights of the teachers: the rule and its thresholds (Algorithm 1 of the paper)."""

    rule: str = "confidence"
    """`paper-batch`, `paper-sample`: the paper's cases, applied to the batch mean or to each image;
    `confidence`, `entropy`: proportional to each teacher's calibrated confidence, or to its certainty;
    `static`: fixed weights; `single`: one teacher; `none`: ground truth only, no teacher runs;
    or a rule of yours, `package.module:name`."""
    confidence_threshold: Threshold = 0.6
    """δ of the paper: a teacher with a lower confidence is unsure."""
    confidence_floor: Threshold = 0.4
    """If every teacher has a lower confidence, the loss uses the ground truth only."""
    minimum_weight: Threshold = 0.1
    """w_min of the paper: the smallest weight of an unsure teacher."""
    distillation_share: Threshold = 0.5
    """Fraction of the loss that comes from the teachers, for rules other than the paper's."""
    static_weights: tuple[NonNegative, ...] = ()
    """For `static`: one weight per teacher, normalized to sum 1. If empty, all weights are equal."""
    single_teacher: Index = 0
    """For `single`: the position of the teacher in `teachers.names`, starting at 0."""


@dataclass(frozen=True)
class LossConfig(Strict):
    """The distillation loss: the student's distance from a teacher."""

    name: Annotated[str, tyro.conf.arg(aliases=("--loss",))] = "kl"
    """`kl`: divergence of softened probabilities; `zscore`: of standardized logits; `dkd`: target class and the others,
    apart; `dist`: correlations; `at`, `mimkd`: also feature maps; `kdiga`: also gradients of the input;
    or a loss of yours, `package.module:name`."""
    factors: tuple[NonNegative, ...] = ()
    """Factors of the loss's terms. If empty, its defaults."""


@dataclass(frozen=True)
class DistillationConfig(TrainingConfig):
    """Training of the student on ground truth and teachers."""

    initial_weights: Annotated[str | None, MayBePath] = None
    """A trained float student of the same architecture, to continue its training: its `student.keras`,
    or a shipped one (`resnet8_eurosat.keras`, or `shipped:resnet8_eurosat.keras` if a path of that name exists).
    If the number of classes or of bands differs, the last or the first layer starts from random weights."""
    mixed_precision: MixedPrecision = "auto"
    """Compute in bfloat16. `auto`: if the CPU has instructions for it (avx512_bf16, amx_bf16) or there is a GPU."""
    augmentation: str = "satellite"
    """`dihedral`: flips and quarter turns;
    `satellite`: also shifts and changes of brightness and color;
    `strong`: larger changes, and a grey square;
    `randaugment`: RandAugment of KerasCV; `none`;
    or a function of yours, `package.module:name`."""
    mixing: MixingConfig = field(default_factory=MixingConfig)
    temperature: Positive = 5.0  # the paper's
    """τ: softens the probabilities of teachers and student."""
    teacher_logits: Literal["precomputed", "averaged", "in-loop"] = "precomputed"
    """`precomputed`: teachers run once, over a fixed set of augmented views;
    `averaged`: likewise, but each image's mean logits are used with fresh views of it;
    `in-loop`: teachers run in every training step."""
    views: Count = 8
    """Number of augmented views per training image for which teacher logits are precomputed; `data.seed` draws them."""
    logits_store: Annotated[str | None, MayBePath] = None
    """Folder with the teachers' logits that `keras_satkd.ask` has computed, in any number of processes."""
    sensor_noise: Threshold = 0.0
    """Largest standard deviation of noise on the student's training images, as a fraction of full range.
    Each image draws its own standard deviation. QAT uses it too. The teachers see images without this noise."""
    pseudo_label_confidence: Threshold = 0.95
    """The least mean of the teachers' calibrated confidences at which they label an image of `data.unlabelled`."""
    class_weights: ClassWeights = "none"
    """`balanced`: weight the ground-truth loss of an image inversely to the number of training images of its class.
    QAT uses it too. The teachers' part of the loss has no such weights."""
    loss: LossConfig = field(default_factory=LossConfig)
    weighting: WeightingConfig = field(default_factory=WeightingConfig)
    teacher_schedule: str = "all"
    """Teachers that are heard in each epoch. `all`: all of them; `weak-to-strong`: one after the other, by accuracy on
    the validation images; `growing`: the weakest first, the others join one by one; or a function of yours,
    `package.module:name`. QAT hears those of the last epoch."""
    rounds: Count = 1
    """Rounds of self-distillation. The student of a round is the only teacher of the next one, with the share
    `weighting.distillation_share` of the loss; the first round has the teachers. The last student is exported."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    capacity: CapacityConfig = field(default_factory=CapacityConfig)


@dataclass(frozen=True)
class QuantizationConfig(TrainingConfig):
    """Quantization-aware training (QAT) of the distilled student, with the same loss."""

    epochs: Epochs = 5
    """Passes over the training images; 0: post-training quantization only."""
    learning_rate: Positive = 2e-4
    """Peak learning rate of AdamW: low, because the weights only adapt to the int8 grid."""
    calibration_images: Count = 256
    """Number of training images that set the activation ranges, in QAT and in post-training quantization."""


@dataclass(frozen=True)
class Config(Strict):
    """All settings of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    teachers: TeachersConfig = field(default_factory=TeachersConfig)
    student: Annotated[str, MayBePath] = "resnet8"
    """`resnet8`, `resnet16`, `mixer`, `mixer_50k`, `mixer_25k`;
    a Keras model (`my_model.keras`), whose weights the training begins with;
    or a function that builds one: `my_package.my_module:build`, called with (image_size, classes, channels)."""
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    firmware: FirmwareConfig = field(default_factory=FirmwareConfig)
    seed: Seed = 0
    """Seed of the initial weights and the order of the images."""
    strategy: Strategy = "auto"
    """Devices that train, each on a part of every batch. `one`: one device; `mirrored`: all GPUs of this machine;
    `multi-worker`: all processes that the environment variable TF_CONFIG names; `auto`: the last of these that there
    is."""
    worker_timeout: Positive = 120.0
    """Seconds after which a process of `multi-worker` that is not heard counts as lost, and the others end."""

    @property
    def student_name(self) -> str:
        """The student's name in reports and names of files: of a file its stem, of a function module and function.

        >>> [Config(student=name).student_name for name in ("models/small.keras", "my_package.small:build@0123")]
        ['small', 'small_build']
        """
        path = Path(self.student.removeprefix("shipped:"))
        if path.suffix in (".keras", ".h5", ".hdf5"):
            return path.stem
        module, _, function = self.student.partition(":")
        return f"{module.rpartition('.')[2]}_{function.partition('@')[0]}" if function else self.student
