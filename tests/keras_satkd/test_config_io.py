import dataclasses
import json
import shlex
import typing

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.cli import parse
from keras_satkd.config import (
    PLATEAU_PATIENCE,
    Config,
    DataConfig,
    DistillationConfig,
    QuantizationConfig,
    TeachersConfig,
    WeightingConfig,
)
from keras_satkd.config_io import PRESETS, changed, command, flatten, from_dict, load, to_dict


def test_defaults_survive_json_and_toml(tmp_path):
    assert from_dict(json.loads(json.dumps(to_dict(Config()))), "test") == Config()
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps({"student": "resnet16", "distillation": {"weighting": {"rule": "entropy"}}}))
    loaded = load(str(path))
    assert loaded.student == "resnet16"
    assert loaded.distillation.weighting == WeightingConfig(rule="entropy")


def test_changed_settings():
    config = changed(Config(), {"student": "resnet16", "distillation.weighting.rule": "entropy"}, "test")
    assert config.student == "resnet16"
    assert config.distillation.weighting == WeightingConfig(rule="entropy")
    assert changed(Config(), {}, "test") == Config()
    with pytest.raises(UserError, match=r"test: unknown setting 'distillation.temprature'"):
        changed(Config(), {"distillation.temprature": 2.0}, "test")


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_presets_are_sound(preset):
    assert isinstance(load(preset), Config)


def test_paper_preset_is_the_published_setting():
    paper = load("paper")
    weighting = paper.distillation.weighting
    assert (weighting.rule, weighting.confidence_threshold, weighting.minimum_weight) == ("paper-batch", 0.6, 0.1)
    assert weighting.confidence_floor == 0.4
    distillation = paper.distillation
    assert (distillation.temperature, distillation.epochs, distillation.batch_size) == (5.0, 50, 64)
    assert (distillation.learning_rate, distillation.weight_decay) == (2.5e-4, 5e-4)
    assert distillation.schedule == "plateau"
    assert (paper.teachers.epochs, paper.teachers.learning_rate, paper.teachers.weight_decay) == (25, 1e-3, 5e-4)
    assert (paper.data.image_size, paper.data.test_fraction) == (224, 0.3)
    # Neither training ends before the schedule can lower its rate.
    for training in (paper.teachers, paper.distillation):
        assert training.schedule == "plateau"
        assert training.epochs > PLATEAU_PATIENCE + 1
        assert training.patience is None or training.patience >= training.epochs


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("distillation.temperature", 0, "greater than 0"),
        ("distillation.epochs", -1, "greater than or equal to 0"),
        ("teachers.learning_rate", float("nan"), "finite|greater than 0"),
        ("distillation.weighting.confidence_threshold", 1.5, "less than or equal to 1"),
        ("distillation.weighting.confidence_floor", -0.1, "greater than or equal to 0"),
        ("distillation.weighting.rule", "papr", "unknown weighting rule 'papr': did you mean 'paper-"),
        ("distillation.loss.name", "dkdd", "unknown loss 'dkdd': did you mean 'dkd'"),
        ("distillation.loss.factors", [-1.0], "greater than or equal to 0"),
        ("distillation.teacher_schedule", "weak", "unknown teacher schedule 'weak': did you mean 'weak-to-strong'"),
        ("distillation.augmentation", "satelite", "unknown augmentation 'satelite': did you mean 'satellite'"),
        ("distillation.loss.name", "no_such_module:mse", "there is no module no_such_module"),
        ("distillation.loss.name", "a b:c", "give package.module:name"),
        ("data.image_size", "big", "valid integer"),
        ("data.validation_fraction", 0.9, "must be below 1"),
        ("distillation.augmentation", "randaugment", "in-loop"),
        ("teachers.augmentation", "randaugment", "cannot be precomputed"),
        ("distillation.mixing.method", "mixupp", "'mixup'"),
        ("distillation.mixing.share", 1.1, "less than or equal to 1"),
        ("teachers.mixing.alpha", 0, "greater than or equal to 0.01"),
        ("firmware.verification_images", 100, "greater than or equal to 256"),
    ],
)
def test_values_out_of_range_name_setting_and_remedy(setting, value, said):
    values = value
    others = {"taught_by": ["folder"]} if setting == "teachers.augmentation" else {}
    for part in reversed(setting.split(".")):
        values = {part: values}
    values.get("teachers", {}).update(others)
    with pytest.raises(UserError, match=said) as error:
        from_dict(values, "--config mine.toml")
    assert "\n" not in str(error.value)
    assert "--config mine.toml" in str(error.value)


@pytest.mark.parametrize("method", ["mixup", "cutmix", "both"])
def test_averaged_logits_are_not_those_of_mixed_images(method):
    averaged, mixing = {"teacher_logits": "averaged"}, {"mixing": {"method": method}}
    said = f"mixing.method '{method}' needs teacher logits of each mixed image.* use 'none', or --distillation.teacher-"
    with pytest.raises(UserError, match=f"mine.toml: distillation.{said}") as error:
        from_dict({"distillation": averaged | mixing}, "--config mine.toml")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=f"mine.toml: teachers.{said}"):
        from_dict({"distillation": averaged, "teachers": mixing | {"taught_by": ["folder"]}}, "--config mine.toml")
    # Teachers without teachers need no logits.
    assert from_dict({"distillation": averaged, "teachers": mixing}, "test").teachers.mixing.method == method
    for logits in ("precomputed", "in-loop"):
        assert from_dict({"distillation": {"teacher_logits": logits} | mixing}, "test").distillation.mixing.share == 0.5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"distilation": {}}, "did you mean 'distillation'"),
        ({"distillation": {"epoch": 3}}, "did you mean 'distillation.epochs'"),
    ],
)
def test_unknown_settings_suggest_the_nearest(values, said):
    with pytest.raises(UserError, match=said):
        from_dict(values, "test")


def test_unknown_preset_and_broken_file(tmp_path):
    with pytest.raises(UserError, match="did you mean 'demo'"):
        load("dem")
    broken = tmp_path / "broken.toml"
    broken.write_text("student = ")
    with pytest.raises(UserError, match="is not TOML"):
        load(str(broken))
    with pytest.raises(UserError, match="No such file"):
        load(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without mark", "with mark"])
def test_a_byte_order_mark_is_passed_over(tmp_path, mark):
    mine = tmp_path / "mine.toml"
    mine.write_bytes(mark + 'student = "resnet16"\ndata.source = "Straße"\n'.encode())
    assert (load(str(mine)).student, load(str(mine)).data.source) == ("resnet16", "Straße")


def test_a_file_in_another_encoding_is_an_error(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('student = "resnet16"', encoding="utf-16")
    with pytest.raises(UserError, match="is not TOML"):
        load(str(mine))


def every_dataclass(kind: type) -> set[type]:
    children = [hint for hint in typing.get_type_hints(kind).values() if dataclasses.is_dataclass(hint)]
    return {kind}.union(*(every_dataclass(child) for child in children))


def test_the_command_of_a_configuration_makes_it_again():
    values = to_dict(load("demo"))
    values["distillation"]["weighting"] |= {"rule": "static", "static_weights": [1.0, 3.0]}
    values["data"]["strict"] = True
    config = from_dict(values, "test")
    words = shlex.split(command(config, "keras_satkd.distill"))
    assert words[:3] == ["python", "-m", "keras_satkd.distill"]
    assert parse("keras_satkd.distill", "test", words[3:])[0] == config


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_@. -]{0,8}[A-Za-z0-9]", fullmatch=True)
CONFIGS = st.builds(
    Config,
    data=st.builds(DataConfig, source=NAMES, data_dir=st.none() | NAMES, strict=st.booleans(), seed=st.integers(0, 9)),
    teachers=st.builds(
        TeachersConfig,
        names=st.lists(NAMES, max_size=3).map(tuple),
        learning_rate=st.floats(1e-9, 1e9),
        patience=st.none() | st.integers(1, 99),
    ),
    student=st.sampled_from(["resnet8", "resnet16"]),
    distillation=st.builds(
        DistillationConfig,
        initial_weights=st.none() | NAMES,
        weighting=st.builds(
            WeightingConfig,
            rule=st.sampled_from(["static", "entropy"]),
            static_weights=st.lists(st.floats(0, 1e6), max_size=3).map(tuple),
        ),
    ),
    quantization=st.builds(QuantizationConfig, epochs=st.integers(0, 99)),
)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(config=CONFIGS)
def test_the_command_of_any_configuration_makes_it_again(config):
    words = shlex.split(command(config, "keras_satkd.distill"))
    assert parse("keras_satkd.distill", "test", words[3:])[0] == config


def test_the_command_keeps_a_tfds_name():
    config = dataclasses.replace(Config(), data=DataConfig(source="eurosat/all"))
    assert "--data.source eurosat/all" in command(config, "keras_satkd.distill")


def test_the_command_tells_no_folder():
    config = dataclasses.replace(Config(), data=DataConfig(source="/home/somebody/EuroSAT_RGB.zip"))
    assert "--data.source EuroSAT_RGB.zip" in command(config, "keras_satkd.distill")
    assert "somebody" not in command(config, "keras_satkd.distill")


def _leaves(kind: type, prefix: str = "") -> dict[str, typing.Any]:
    """Every setting below a dataclass with its annotated type."""
    found: dict[str, typing.Any] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        bare = typing.get_type_hints(kind)[name] if not name.startswith("_") else None
        if dataclasses.is_dataclass(bare):
            found |= _leaves(bare, f"{prefix}{name}.")
        elif bare is not None:
            found[prefix + name] = hint
    return found


SETTINGS = {name: hint for name, hint in _leaves(Config).items() if "pydantic" not in name}

ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["NULL", "errno", "class", "\n", "\x00", "\ud800", "../..", "'; rm -rf", "none", "auto", "30", "1e3"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def _nested(name: str, value: object) -> dict:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(name=st.sampled_from(sorted(SETTINGS)), value=ANY_VALUE)
def test_any_value_is_accepted_as_it_is_or_refused_in_one_line(name, value):
    try:
        config = from_dict(_nested(name, value), "--config mine.toml")
    except UserError as error:
        said = str(error)
        assert said.isprintable(), repr(said)
        assert said.startswith("--config mine.toml: ")
        assert len(said) < 1000
        return
    kept = flatten(to_dict(config))[name]
    assert kept == value
    assert type(kept) is type(value) or (type(kept), type(value)) == (float, int)
    # What is accepted can be written, compared and repeated.
    assert from_dict(json.loads(json.dumps(to_dict(config))), "test") == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**32),
        ("data.seed", -5),
        ("distillation.epochs", True),
        ("distillation.epochs", "30"),
        ("distillation.epochs", 30.0),
        ("quantization.epochs", 10**12),
        ("distillation.temperature", True),
        ("data.strict", 1),
        ("data.strict", "yes"),
        ("firmware.symbol", "NULL"),
        ("firmware.symbol", "errno"),
        ("firmware.symbol", "class"),
        ("firmware.symbol", "a b"),
        ("firmware.target", "samv17"),
        ("firmware.target", "my_board.toml"),
        ("data.source", "a\nb"),
        ("data.source", "a\x00b"),
        ("teachers.names", ["a\x00"]),
    ],
)
def test_values_that_were_found_out_late(name, value):
    with pytest.raises(UserError) as caught:
        from_dict(_nested(name, value), "test")
    assert str(caught.value).isprintable()
