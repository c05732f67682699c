import pytest
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models import teachers
from keras_satkd.models.teacher_settings import TeacherSettings, read


@pytest.fixture
def written(tmp_path):
    """Writes a teacher's TOML file beside an empty model and returns its path."""

    def write(text: str):
        (tmp_path / "my.onnx").touch()
        path = tmp_path / "my.toml"
        path.write_text(text)
        return path

    return write


def test_all_settings(written, tmp_path):
    path = written(
        'model = "my.onnx"\ninput_range = "imagenet"\ninput_size = 224\nbands = [3, 2, 1]\n'
        'outputs = "probabilities"\nclass_names = ["b", "a"]\n'
    )
    settings, model = read(path)
    assert settings == TeacherSettings("my.onnx", "imagenet", 224, (3, 2, 1), "probabilities", ("b", "a"))
    assert model == tmp_path / "my.onnx"
    assert read(written('model = "my.onnx"'))[0] == TeacherSettings("my.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"model is missing: name the file"),
        ('model = "other.onnx"', r"model 'other\.onnx' does not exist"),
        ('model = "my.onnx"\ninput_rang = "0..1"', r"unknown setting 'input_rang': did you mean 'input_range'\?"),
        ('model = "my.onnx"\ninput_range = "0..2"', r"input_range is '0\.\.2': input should be '0\.\.1'"),
        ('model = "my.onnx"\ninput_size = 0', r"input_size is 0"),
        ('model = "my.onnx"\nbands = [2, 2]', r"bands \[2, 2\] contains a value twice"),
        ('model = "my.onnx"\nbands = [0, 1]', r"bands is \[0, 1\]: give names, or numbers from 1"),
        ('model = "my.onnx"\nbands = ["B02", 1]', r"bands is \['B02', 1\]: give names, or numbers from 1"),
        ('model = "my.onnx"\nbands = [0.5]', r"bands.* is 0\.5"),
        ('model = "my.onnx"\nclass_names = ["a", "a"]', r"class_names \['a', 'a'\] contains a value twice"),
        ('model = "my.onnx"\noutputs = "maybe"', r"outputs is 'maybe'"),
        ("model = ", r"is not TOML"),
    ],
)
def test_mistakes_are_one_line(written, text, message):
    with pytest.raises(UserError, match=message) as caught:
        read(written(text))
    assert "\n" not in str(caught.value)


def test_a_toml_file_stands_for_its_model(tmp_path):
    tiny_network(seed=4).save(tmp_path / "network.keras")
    (tmp_path / "mine.toml").write_text('model = "network.keras"\nclass_names = ["c", "b", "a"]\n')
    teacher = teachers.load(str(tmp_path / "mine.toml"))
    assert (teacher.name, teacher.class_names) == ("mine", ("c", "b", "a"))
    teachers.check_names([str(tmp_path / "mine.toml"), str(tmp_path / "network.keras")])
