"""A small exported folder with both engines, and what a campaign in it finds."""

import shutil

import exporting
import pytest
import row_models

from firmware_export.upsets import campaign, folder, row_engine


@pytest.fixture(scope="session")
def exported_path(tmp_path_factory):
    """Not to be changed: `changed_path` is a copy."""
    path = tmp_path_factory.mktemp("upsets") / "firmware"
    exporting.export(row_models.every_layer(), path, engine="both")
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
