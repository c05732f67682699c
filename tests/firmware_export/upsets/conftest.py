"""A small exported folder with both engines, and what a campaign in it finds."""

import shutil

import exporting
import pytest
import row_models
from int8_graphs import PIXELS

from firmware_export.upsets import campaign, folder, row_engine


def network(builder, given):
    """A residual block, a strided convolution, a mean and a dense layer: flips of weights change its outputs."""
    x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
    x = builder.add(x, builder.convolution(x, 4, (3, 3), (1, 1), "SAME", "NONE"), "NONE")
    x = builder.convolution(x, 8, (3, 3), (2, 2), "SAME", "RELU")
    return builder.dense(builder.mean(x), 5, "NONE")


@pytest.fixture(scope="session")
def exported_path(tmp_path_factory):
    """Not to be changed: `changed_path` is a copy."""
    path = tmp_path_factory.mktemp("upsets") / "firmware"
    exporting.export(row_models.model(network, (1, 9, 7, 3), seed=2, quantization=PIXELS), path, engine="both")
    return path


@pytest.fixture
def changed_path(exported_path, tmp_path):
    return shutil.copytree(exported_path, tmp_path / "changed")


@pytest.fixture(scope="session")
def exported(exported_path):
    return folder.read(exported_path, "firmware")


@pytest.fixture(scope="session")
def harness(exported, tmp_path_factory):
    """The layout, and the program."""
    program = tmp_path_factory.mktemp("harness") / "rows"
    return row_engine.build(exported, program), program


@pytest.fixture(scope="session")
def result(exported, tmp_path_factory):
    work = tmp_path_factory.mktemp("campaign")
    return campaign.run(exported, campaign.Settings(samples=200, slow_samples=20, seed=1, jobs=2, work=work))
