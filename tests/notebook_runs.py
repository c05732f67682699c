"""Notebooks executed anew, and held against what is committed: `python -m tests.notebook_runs` writes them all.

A cell's text must come out as it is committed, to the letter; tags in the cell's metadata say where it need not:

- `about`: floating-point results, which differ a little between processors: each number may be a twentieth off, or two
  in its last digit;
- `varies`: trainings and what is installed: only the kinds of the outputs (text, picture) must be the same.

Pictures are not compared. The notebook's metadata holds a digest of its code, which tells at once where someone changed
a cell and did not run it.
"""

import base64
import hashlib
import io
import os
import re
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
"""Where a notebook's metadata hold the digest of the code that gave its outputs."""
ABOUT, VARIES = "about", "varies"
PICTURE = "a picture"
"""What stands for one among a cell's texts."""

_LONGEST_SECONDS = 600
_CHOSEN_AT_IMPORT = ("TF_USE_LEGACY_KERAS", "TF_ENABLE_ONEDNN_OPTS")
"""What importing our packages sets in this process; a kernel of the reader's begins without."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def read(path: Path) -> NotebookNode:
    """A notebook as it lies in the folder."""
    return nbformat.read(path, as_version=4)


def execute(committed: NotebookNode) -> NotebookNode:
    """The same notebook with the outputs that it has now: in a kernel, a folder and a cache of its own."""
    notebook = nbformat.from_dict(committed)
    with tempfile.TemporaryDirectory() as folder:
        ours = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment = {name: value for name, value in os.environ.items() if name not in _CHOSEN_AT_IMPORT} | ours
        client = NotebookClient(
            notebook,
            timeout=_LONGEST_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=environment)
    return _tidy(notebook)


def _tidy(notebook: NotebookNode) -> NotebookNode:
    """Without what belongs to this machine: libraries' log lines on stderr, Python's version, times."""
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs = _joined([each for each in cell.outputs if each.get("name") != "stderr"])
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
    """Pieces of one stream that follow each other as one: where a kernel cuts them is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _small(png: str) -> str:
    """A picture in 256 colours, which nobody sees and which takes a third of the bytes; base64 in and out."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def code_digest(notebook: NotebookNode) -> str:
    """SHA-256 of all code cells, 64 hexadecimal digits."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def texts(cell: NotebookNode) -> list[str]:
    """The outputs of a code cell as text; of a picture only that it is one."""
    found = []
    for output in cell.outputs:
        data = {"text/plain": output.text} if output.output_type == "stream" else output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            found.append(PICTURE)
        else:
            found += ["".join(text) for kind, text in sorted(data.items()) if kind.startswith("text/")]
    return found


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """What a notebook shows and would not show now, a line a cell; none where it is fresh."""
    found = []
    for number, (before, after) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        if before.cell_type == "code" and not _alike(texts(before), texts(after), before.metadata.get("tags", ())):
            found.append(f"cell {number} shows {texts(before)}, now it is {texts(after)}")
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
    """Execute the notebooks whose names are given, or all, and write each with its outputs."""
    for path in PATHS:
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            print(f"{path.name} ...", flush=True)
            write_text(path, nbformat.writes(execute(read(path))) + "\n")


if __name__ == "__main__":
    main()
