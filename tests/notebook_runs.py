"""Execute the notebooks and compare their outputs with the committed ones. `python -m tests.notebook_runs` saves them.

The text output of a cell must equal the committed text, unless a tag in the cell's metadata relaxes this:

- `about`: floating-point results, which differ slightly between processors. Each number may differ by 5 %, or by two
  units in its last digit.
- `varies`: results that depend on training or on installed tools. Only the kinds of outputs (text, picture) must match.

Pictures are not compared. The notebook's metadata contain a digest of its code, which reveals a cell that was changed
and not run.
"""

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from firmware_export.common.files import write_text

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))

DIGEST = "code_sha256"
"""Metadata key for the digest of the code that produced the outputs."""
ABOUT, VARIES = "about", "varies"
PICTURE = "a picture"
"""Placeholder for a picture among the texts of a cell."""

_LONGEST_SECONDS = 600
_SET_AT_IMPORT = ("TF_USE_LEGACY_KERAS", "TF_ENABLE_ONEDNN_OPTS")
"""Variables that importing our packages sets in this process; a reader's kernel starts without them."""
_PROGRESS = re.compile(
    r"^[^\n]*: (?:\d+ s so far|\d+ of \d+ after \d+ \w+(?:, about \d+ \w+ left)?)\r?\n", re.MULTILINE
)
"""Lines of steps over five seconds (`firmware_export.common.steps`); `!command` mixes them into the output."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def read(path: Path) -> NotebookNode:
    """Read a notebook file."""
    return nbformat.read(path, as_version=4)


def execute(committed: NotebookNode) -> NotebookNode:
    """Execute a copy of a notebook, with its own kernel, working folder and cache."""
    notebook = nbformat.from_dict(committed)
    with tempfile.TemporaryDirectory() as folder:
        ours = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment = {name: value for name, value in os.environ.items() if name not in _SET_AT_IMPORT} | ours
        client = NotebookClient(
            notebook,
            timeout=_LONGEST_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        kernels: list[subprocess.Popen[bytes]] = []
        client.on_notebook_start = lambda notebook: kernels.append(client.km.provisioner.process)
        client.execute(env=environment)
        # jupyter_client waits no longer than five seconds for the end of a kernel that it kills.
        for kernel in kernels:
            kernel.wait(_LONGEST_SECONDS)
    return _tidy(notebook)


def _tidy(notebook: NotebookNode) -> NotebookNode:
    """Remove what is specific to this machine: log lines on stderr, lines of progress, the Python version, times."""
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs = _joined([each for each in cell.outputs if each.get("name") != "stderr"])
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = _PROGRESS.sub("", output.text)
            cell.outputs = [each for each in cell.outputs if each.get("text") != ""]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _small(output.data["image/png"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        DIGEST: code_digest(notebook),
    }
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Merge consecutive outputs of one stream, because a kernel splits them at random."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _small(png: str) -> str:
    """Reduce a picture to 256 colors, which looks the same in a third of the bytes; base64 in and out."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def code_digest(notebook: NotebookNode) -> str:
    """SHA-256 of all code cells, 64 hexadecimal digits."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def texts(cell: NotebookNode) -> list[str]:
    """The outputs of a code cell as text, with `PICTURE` for each picture."""
    found = []
    for output in cell.outputs:
        data = {"text/plain": output.text} if output.output_type == "stream" else output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            found.append(PICTURE)
        else:
            found += ["".join(text) for kind, text in sorted(data.items()) if kind.startswith("text/")]
    return found


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """One line for each cell whose outputs differ; empty if the notebook is up to date."""
    found = []
    for number, (before, after) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        if before.cell_type == "code" and not _alike(texts(before), texts(after), before.metadata.get("tags", ())):
            found.append(f"cell {number}: committed output {texts(before)}, new output {texts(after)}")
    return found


def _alike(before: list[str], after: list[str], tags: list[str]) -> bool:
    if VARIES in tags:
        return [text == PICTURE for text in before] == [text == PICTURE for text in after]
    if ABOUT in tags:
        return len(before) == len(after) and all(map(_is_about, before, after))
    return before == after


def _is_about(before: str, after: str) -> bool:
    words = [" ".join(_NUMBER.sub("#", text).split()) for text in (before, after)]
    numbers = [_NUMBER.findall(text) for text in (before, after)]
    return words[0] == words[1] and all(map(_is_near, *numbers))


def _is_near(before: str, after: str) -> bool:
    wanted, found = (float(number.replace(",", "")) for number in (before, after))
    last_digit = 10.0 ** -len(before.partition(".")[2])
    return abs(wanted - found) <= max(0.05 * wanted, 2.001 * last_digit)


def main() -> None:
    """Execute the named notebooks, or all of them, and save each with its outputs."""
    for path in PATHS:
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            print(f"{path.name} ...", flush=True)
            write_text(path, nbformat.writes(execute(read(path))) + "\n")


if __name__ == "__main__":
    main()
