import importlib
import re
import sys

import pytest

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from keras_satkd.losses.dkd import DKD
from keras_satkd.registry import DIGEST_LENGTH, LOSSES, SETTINGS, STUDENTS, Registry, reference_of

SOURCE = "def mse(seen):\n    return 7\n"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of a module that can be imported, `my_own_loss`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "my_own_loss.py"
    file.write_text(SOURCE)
    importlib.invalidate_caches()
    yield file
    sys.modules.pop(file.stem, None)


@pytest.fixture
def registry():
    return Registry("loss", "keras_satkd.test_group", {"kl": "keras_satkd.losses.kl:KL"})


@pytest.mark.parametrize("registry", dict.fromkeys(SETTINGS.values()), ids=lambda registry: registry.kind)
def test_every_name_of_this_package_can_be_loaded(registry):
    for name in registry.names():
        assert registry.load(name) is not None
        assert registry.pinned(name) == name
        assert registry.is_own(name)


def test_a_reference_is_recorded_with_the_digest_of_its_file(module, registry):
    pinned = registry.pinned("my_own_loss:mse")
    assert pinned == f"my_own_loss:mse@{digests.of(module)[:DIGEST_LENGTH]}"
    assert registry.pinned(pinned) == pinned
    assert not registry.is_own(pinned)
    assert "my_own_loss" not in sys.modules
    assert registry.load(pinned)(None) == registry.load("my_own_loss:mse")(None) == 7
    module.write_text(SOURCE.replace("7", "8"))
    assert registry.pinned("my_own_loss:mse") != pinned
    with pytest.raises(UserError, match=r"the module's file has the digest \w{12} now: restore it, or leave out '@"):
        registry.load(pinned)


def test_names_that_a_program_or_a_package_adds(module, registry, tmp_path):
    registry.register("mine", "my_own_loss:mse")
    registry.register("mine", "my_own_loss:mse")
    assert registry.names() == ("kl", "mine")
    folder = tmp_path / "their_package-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[keras_satkd.test_group]\ntheirs = my_own_loss:mse\n")
    for name in ("mine", "theirs"):
        assert registry.load(name)(None) == 7
        assert registry.pinned(name).startswith("my_own_loss:mse@")
    with pytest.raises(UserError, match=r"unknown loss 'their': did you mean 'theirs'\? choose from kl, mine, theirs"):
        registry.load("their")


@pytest.mark.parametrize(("name", "reference"), [("kl", "my:own"), ("a:b", "my:own"), ("mine", "my.own")])
def test_registrations_that_are_refused(registry, name, reference):
    with pytest.raises(ValueError, match="give"):
        registry.register(name, reference)


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("", "my_own_loss:mse", r"cannot be imported \(.*has no attribute 'mse'\): correct my_own_loss"),
        ("1 / 0", "my_own_loss:mse", r"cannot be imported \(division by zero\)"),
        ("raise ValueError", "my_own_loss:mse", r"cannot be imported \(ValueError\)"),
        (SOURCE, "my_own_los:mse", "there is no module my_own_los: start in its folder, or add that to PYTHONPATH"),
        (SOURCE, "my_own_loss.part:mse", "cannot be found|there is no module"),
        (SOURCE, "my_own_loss:", "give package.module:name"),
    ],
)
def test_references_that_lead_nowhere(module, registry, source, name, said):
    module.write_text(source)
    with pytest.raises(UserError, match=said):
        registry.load(registry.pinned(name))


def test_reference_of_an_object():
    assert reference_of(test_reference_of_an_object) == f"{__name__}:test_reference_of_an_object"
    assert reference_of(DKD) == "keras_satkd.losses.dkd:DKD"
    assert LOSSES.load("dkd") is DKD
    with pytest.raises(ValueError, match="give it a name in a module"):
        reference_of(lambda seen: 0)


def test_references_leave_other_names_alone():
    for name in ("resnet8", "models/mine.keras", "shipped:resnet8_eurosat", "a b:c"):
        assert STUDENTS.pinned(name) == name
        assert STUDENTS.is_own(name)
    assert re.fullmatch(
        r"keras_satkd\.models\.resnets:build@[0-9a-f]{12}", STUDENTS.pinned("keras_satkd.models.resnets:build")
    )
    with pytest.raises(UserError, match="there is no module absent: start in its folder"):
        STUDENTS.pinned("absent:build")
