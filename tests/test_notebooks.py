"""Every notebook runs from top to bottom, and its committed outputs are up to date."""

import re

import notebook_runs
import pytest
from nbformat import v4

MACHINE_PATH = re.compile(r"/(home|root|tmp|var|work|usr|opt|mnt|Users)/")
OUT_OF_DATE = "its code was changed after it was run: run `make notebooks`"


@pytest.fixture(params=notebook_runs.PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_there_are_notebooks():
    assert notebook_runs.PATHS


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # warnings of jupyter_client and zmq
def test_it_runs_and_shows_what_is_committed(path):
    committed = notebook_runs.read(path)
    assert notebook_runs.differences(committed, notebook_runs.execute(committed)) == []


def test_its_outputs_belong_to_its_code(path):
    notebook = notebook_runs.read(path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.metadata[notebook_runs.DIGEST] == notebook_runs.code_digest(notebook), OUT_OF_DATE
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), OUT_OF_DATE
    assert any(notebook_runs.PICTURE in notebook_runs.texts(cell) for cell in cells)


def test_it_shows_no_machine_paths_and_no_warnings(path):
    notebook = notebook_runs.read(path)
    for cell in notebook.cells:
        text = "\n".join([cell.source, *(notebook_runs.texts(cell) if cell.cell_type == "code" else [])])
        assert not MACHINE_PATH.search(text)
        assert "warning" not in text.lower()
        assert all(output.get("name") != "stderr" for output in cell.get("outputs", ()))


def test_it_is_small(path):
    assert path.stat().st_size < 1_000_000


def notebook(text: str, *tags: str, code: str = "print()"):
    cell = v4.new_code_cell(code, metadata={"tags": list(tags)})
    cell.outputs = [v4.new_output("stream", name="stdout", text=text)]
    return v4.new_notebook(cells=[v4.new_markdown_cell("A heading"), cell])


@pytest.mark.parametrize(
    ("tag", "before", "after", "are_alike"),
    [
        (None, "203,136 bytes", "203,136 bytes", True),
        (None, "203,136 bytes", "203,152 bytes", False),
        ("about", "right: 66%  0.44", "right:  68% 0.42", True),
        ("about", "right: 66%  0.44", "right: 61% 0.44", False),
        ("about", "66% right", "66% wrong", False),
        ("about", "1 2", "1", False),
        ("varies", "66% right", "12 passed", True),
    ],
)
def test_changed_text_is_reported(tag, before, after, are_alike):
    tags = [tag] if tag else []
    found = notebook_runs.differences(notebook(before, *tags), notebook(after, *tags))
    assert (found == []) == are_alike
    assert all(before in line and after in line for line in found)


def test_a_missing_picture_is_reported():
    committed, fresh = notebook("text", "varies"), notebook("text", "varies")
    committed.cells[1].outputs.append(v4.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"}))
    assert len(notebook_runs.differences(committed, fresh)) == 1


def test_the_digest_depends_on_the_code():
    digests = [
        notebook_runs.code_digest(notebook(text, code=code)) for text, code in (("1", "a"), ("2", "a"), ("1", "b"))
    ]
    assert digests[0] == digests[1] != digests[2]
