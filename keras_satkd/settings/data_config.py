"""Settings of the images and their split. `config` has the others."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from firmware_export.common.command_line import MayBePath
from keras_satkd.settings.setting_types import Count, Flag, Fraction, NonNegative, Positive, Seed, Strict


@dataclass(frozen=True)
class ColumnsConfig(Strict):
    """Columns of a manifest. A column that is not named here is found by its usual names, such as `file` or `class`."""

    path: str | None = None
    """The image file; a relative path starts at the manifest's folder."""
    label: str | None = None
    """The class."""
    split: str | None = None
    """The part: `train`, `validation` (or `val`, `dev`) or `test`."""
    x: str | None = None
    """Place of the image's center: x or easting, in any unit; or longitude in degrees (`lon`, `longitude`)."""
    y: str | None = None
    """Place of the image's center: y or northing, in the same unit; or latitude in degrees (`lat`, `latitude`)."""


@dataclass(frozen=True)
class DataConfig(Strict):
    """The images and how they are split."""

    source: Annotated[str | tuple[str, ...], MayBePath, tyro.conf.arg(aliases=("--data",))] = "eurosat/rgb"
    """A TFDS name, an image folder (one subfolder per class), a zip file of one, a manifest (CSV or Parquet),
    a `.npz` with the arrays images and labels, or `synthetic`. Several of them, but TFDS, are merged:
    classes of the same name become one."""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    classes: tuple[str, ...] = ()
    """The classes, in any order. If given, an image of another class is an error, and so is a class without images."""
    data_dir: Annotated[str | None, MayBePath, tyro.conf.arg(aliases=("--data-dir",))] = None
    """Folder where TFDS keeps its data sets. If not set, TFDS uses its default."""
    cache_dir: Annotated[str | None, MayBePath] = None
    """Folder for decoded images and precomputed teacher logits. If not set, the user's cache folder."""
    unlabelled: Annotated[str | None, MayBePath] = None
    """A folder or zip of images without labels, in any subfolders. The teachers label them; those that they are sure of
    (`distillation.pseudo_label_confidence`) become training images of the student."""
    labels_per_class: Count | None = None
    """Use the labels of at most this many training images of each class. The others become unlabelled images, as if
    they were in `unlabelled`. More labels contain fewer ones. If not set, all labels are used."""
    image_size: Count = 64
    """Height and width of the images in pixels. Images of other sizes are resized when they are decoded."""
    fit: Literal["refuse", "crop", "squash"] = "refuse"
    """Images that are not square: `refuse` them, `crop` their middle, or `squash` them into a square."""
    tile: Count | None = None
    """Cut each image into squares of this many pixels. What is left at the right and at the bottom is dropped."""
    bands: tuple[str, ...] = ()
    """Bands to use, in this order: names, as in --data.band-names or in the files, or numbers from 1.
    If empty: RGB of ordinary pictures, otherwise all bands; a single band is repeated three times."""
    band_names: tuple[str, ...] = ()
    """Names of all bands in the files, in their order. If empty: those in the files, or numbers from 1."""
    rgb: tuple[str, ...] = ()
    """The red, green and blue band, by name or by number from 1, for the teachers and for pictures in the report.
    If empty: the bands called B04, B03, B02 (Sentinel-2) or red, green, blue; otherwise the only band, or all three."""
    scaling: tuple[str, ...] = ("auto",)
    """How samples become 8-bit codes: `LOW:HIGH`, once or for each band, such as 0:4095 for a sensor of 12 bits;
    `full`: the full range of the files' type;
    `percentiles`, or `percentiles:1:99`: from 0.1 % to 99.9 % of each band's training samples, or between others;
    `auto`: 8-bit images stay as they are; otherwise the bits that the training images use, or percentiles if most
    samples would share few codes."""
    nodata: Literal["refuse", "skip", "fill"] = "refuse"
    """Images with samples that are NaN, infinite or the file's nodata value: `refuse` the data, `skip` the image, or
    `fill` the samples with the median of their band in the image."""
    parts: Literal["auto", "own", "new"] = "auto"
    """`own`: the parts that the images come with: folders such as train/, val/ and test/ above the class folders, or
    splits of TFDS, or a manifest's column. Missing parts are taken from its training images. `new`: all images are
    split by the fractions; `auto`: own, if there are any."""
    group: str | None = None
    """Keep the images of a group (a scene, a date) in one part: a column of the manifest; or a regular expression that
    finds the group in an image's name, as its parentheses or as the whole match. If not set, a manifest's column
    `group` or `scene`, or the tiles of an image; `none`: no groups."""
    block: Positive | None = None
    """Keep the images of an area in one part: side of square blocks, in the unit of x and y in the manifest
    or the GeoTIFFs, or in kilometers for longitude and latitude. Tiles without coordinates: in pixels."""
    block_gap: NonNegative | None = None
    """With `block`, images that are this near to another part are left out of training or validation. If not set,
    1.5 times the median distance between nearest images, so that no neighbors are in two parts."""
    deduplicate: Flag = False
    """Remove training images that are duplicates of test or validation images, exactly or nearly."""
    validation_fraction: Fraction = 0.1
    """Fraction of each class in the validation set, which selects the weights and fits schedules and calibration."""
    test_fraction: Fraction = 0.2
    """Fraction of each class in the test set, which is evaluated once, after all choices are made."""
    seed: Seed = 0
    """Seed of the split, the augmented views and the images of `synthetic`."""
    strict: Annotated[Flag, tyro.conf.arg(aliases=("--strict",))] = False
    """Stop if an image cannot be read. Otherwise unreadable images are skipped with a warning."""
    synthetic_images: Count = 3000
    """Number of images that `synthetic` draws, over all classes."""

    @property
    def sources(self) -> tuple[str, ...]:
        """`source` as a tuple."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def name(self) -> str:
        """All sources, for messages."""
        return " + ".join(self.sources)
