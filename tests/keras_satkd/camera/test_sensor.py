import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.camera import sensor
from keras_satkd.camera.suite import KINDS
from keras_satkd.camera.training import BROAD, Mixture
from keras_satkd.config import CameraConfig

GREY = np.full((4, 32, 32, 3), 120, np.uint8)


def read(tmp_path, text: str) -> sensor.Sensor:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return sensor.load(str(path))


@pytest.mark.parametrize("name", ["healthy", "poor"])
def test_sensors_of_the_package_capture_and_train(name):
    found = sensor.load(name)
    assert found.name == name
    captured = found.capture(GREY)
    assert (captured.shape, captured.dtype) == (GREY.shape, np.uint8)
    assert found.mixture(1.0)(GREY, np.arange(4)).shape == GREY.shape
    assert "registration" not in found.mixture(1.0).ranges


def test_the_poor_sensor_disturbs_more():
    scenes = np.random.default_rng(0).integers(60, 180, (4, 8, 8, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    errors = [np.abs(sensor.load(name).capture(scenes).astype(float) - scenes).mean() for name in ("healthy", "poor")]
    assert 0 < errors[0] < errors[1] / 2


def test_a_ratio_for_each_band(tmp_path):
    found = read(tmp_path, "snr = [10, 20, 40]")
    deviations = found.capture(np.full((8, 64, 64, 3), 120, np.uint8)).std(axis=(0, 1, 2))
    np.testing.assert_allclose(deviations, [12, 6, 3], rtol=0.05)
    # Half and twice the mean of 70 / 3, each band in proportion.
    drawn = found.mixture(1.0).ranges["snr"]
    assert (drawn.low, drawn.high) == pytest.approx((35 / 3, 140 / 3))
    np.testing.assert_allclose(drawn.draw(np.array([0.0]))[0], [5, 10, 20])


def test_a_value_with_its_range(tmp_path):
    found = read(tmp_path, "psf = { value = 0.6, range = [0.4, 0.9] }\n[compression]\njpeg = 90")
    ranges = found.mixture(0.5).ranges
    assert (ranges["psf"].low, ranges["psf"].high) == (0.4, 0.9)
    assert (ranges["jpeg"].low, ranges["jpeg"].high) == (45, 95)
    assert [name for name, _ in found.parts()] == ["psf", "jpeg"]


def test_one_part_alone_is_the_suites_disturbance(tmp_path):
    found = read(tmp_path, "snr = 20\nprnu = 5")
    np.testing.assert_array_equal(found.capture(GREY, only="prnu", first_seed=3), KINDS["prnu"].apply(GREY, 5, 3))


def test_what_has_no_effect_is_left_out(tmp_path):
    found = read(tmp_path, "bits = 12\nsmear = 0\npsf = [0, 0, 0]")
    assert not list(found.parts())
    np.testing.assert_array_equal(found.capture(GREY), GREY)
    assert found.name == "mine"


@pytest.mark.parametrize("figure", ["smear", "dead_columns", "bits", "defects", "snr", "psf", "prnu"])
def test_a_list_of_one_number_is_the_number(tmp_path, figure):
    one, listed = read(tmp_path, f"{figure} = 2"), read(tmp_path, f"{figure} = [2]")
    assert listed == one
    assert listed.mixture(1.0)(GREY, np.arange(4)).shape == GREY.shape


def test_training_draws_from_a_range_whose_value_has_no_effect(tmp_path):
    text = "bits = { value = 12, range = [4, 12] }\nsmear = { value = 0, range = [0, 6] }"
    found = read(tmp_path, text)
    assert not list(found.parts())
    drawn = {name: (each.low, each.high) for name, each in found.mixture(1.0).ranges.items()}
    assert drawn == {"bits": (4, 12), "smear": (0, 6)}
    assert not read(tmp_path, "bits = 12\nsmear = 0").mixture(1.0).ranges


def test_what_a_run_is_asked_for():
    poor, broad = sensor.load("poor"), Mixture(BROAD, 1.0)
    assert sensor.mixture(CameraConfig(), None) is None
    assert sensor.mixture(CameraConfig("any", 1.0), None) == broad
    assert sensor.mixture(CameraConfig("poor", 0.3), poor) == poor.mixture(0.3)
    assert sensor.captured(None, None, GREY) is GREY
    np.testing.assert_array_equal(sensor.captured(poor.mixture(0.3), poor, GREY), poor.capture(GREY))
    np.testing.assert_array_equal(sensor.captured(broad, None, GREY), broad(GREY, np.arange(4)))


@pytest.mark.parametrize("name", ["healthy", "poor"])
def test_a_written_sensor_is_the_same(tmp_path, name):
    (tmp_path / "copy.toml").write_text(sensor.load(name).to_toml())
    assert sensor.load(str(tmp_path / "copy.toml")) == sensor.load(name)


@hypothesis.given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.floats(0.1, 1e6), min_size=1, max_size=4),
    st.floats(0, 50),
    st.just({}) | st.fixed_dictionaries({"jpeg": st.floats(1, 95)}),
)
def test_any_written_sensor_is_the_same(tmp_path_factory, name, snr, prnu, jpeg):
    given = sensor.Sensor.model_validate({"name": name, "snr": snr, "prnu": prnu, "compression": jpeg})
    path = tmp_path_factory.mktemp("sensor") / "copy.toml"
    path.write_text(given.to_toml(), encoding="utf-8")
    assert sensor.load(str(path)) == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("snr = 'a'", "snr is 'a': give a number, a list of one number per band, or { value"),
        ("snr = true", "snr is True: give a number"),
        ("snr = nan", "snr is nan: nan is not in the range 0.1 to 1e"),
        ("snr = []", "snr.value is .*"),
        ("psf = -1", "psf is -1: -1 is not in the range 0 to 8"),
        ("psf = { value = 0.6, range = [0.4, 0.5] }", r"the value 0\.6 is not in its range \[0\.4, 0\.5\]"),
        ("psf = { value = 1, range = [3, 2] }", "is below its start"),
        ("psf = { value = 1, rang = [2, 3] }", "unknown figure 'rang': did you mean 'range'"),
        ("smear = [1, 2, 3]", "smear is .*: give one number, which applies to all bands"),
        ("snr = ['100', '90', '80']", "snr.value is .*: input should be a valid number"),
        ("snr = { value = true }", "snr.value is True"),
        ("jpeg = 90", r"jpeg is at the top: write it below \[compression\]"),
        ("sn = 3", "unknown figure 'sn': did you mean 'snr'"),
        ("compression = { jpg = 3 }", "unknown figure 'jpg': did you mean 'jpeg'"),
        ("compression = { jpeg = 90, jpeg2000 = 2 }", "give only the one that the camera uses"),
        ("compression = 'jpeg'", "compression is 'jpeg'"),
        ("snr = [1, 2", "is not TOML"),
    ],
)
def test_mistakes_are_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_sensors_that_are_none(tmp_path):
    with pytest.raises(UserError, match="unknown sensor 'helthy': did you mean 'healthy'"):
        sensor.load("helthy")
    with pytest.raises(UserError, match=r"give a sensor's name or a TOML file"):
        sensor.load(str(tmp_path / "missing.toml"))


def test_another_number_of_bands(tmp_path):
    with pytest.raises(UserError, match="snr has 2 bands, the images have 3"):
        read(tmp_path, "snr = [10, 20]").capture(GREY)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "mine.toml").write_text("snr = 100\n", encoding="utf-8-sig")
    (tmp_path / "plain.toml").write_text("snr = 100\n", encoding="utf-8")
    assert sensor.load(str(tmp_path / "mine.toml")).snr == sensor.load(str(tmp_path / "plain.toml")).snr


def test_examples_serve_any_number_of_bands():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 4), np.uint8)
    for found, own in zip(sensor.examples(4), sensor.examples(3), strict=True):
        assert found.capture(images).shape == images.shape
        assert own == sensor.load(own.name)
    assert sensor.examples(4)[0].snr.value == pytest.approx(np.mean([142, 168, 154]))
