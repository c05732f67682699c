"""What the export says of public models, and the table of `docs/public_models.md`: `make public-models`.

The models are not part of the project; `docs/public_models/results.json` names their sources.
"""

import csv
import hashlib
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

import exporting

from firmware_export.bounds.count import Count
from firmware_export.common import defaults
from firmware_export.common.errors import UserError
from firmware_export.common.tables import markdown_table, with_measured
from firmware_export.rows.lower import lower
from firmware_export.verify import verify

ROOT = Path(__file__).parents[1]
FOLDER = ROOT.parent / "shared" / "models"
RESULTS = ROOT / "docs" / "public_models" / "results.json"
PAGE = ROOT / "docs" / "public_models.md"
IMAGES = 32
"""Generated inputs that each model is verified on; the export itself uses more."""
EXPORTED = "exported"


def outcome(path: Path, images: int, *, counts: bool = False) -> dict:
    """`tflm` and `rows`: `exported` or the reason of the refusal; for exported engines also their RAM, and the changes.

    Args:
        path: a `.tflite`.
        images: number of generated inputs to verify it on.
        counts: whether to count the row engine's instructions for one image, too.
    """
    content = path.read_bytes()
    before, defaults.LEAST_IMAGES = defaults.LEAST_IMAGES, images
    try:
        rows = _rows_reason(content, path)
        if rows == EXPORTED:
            try:
                return _exported(content, path, "both", counts=counts) | {"rows": rows}
            except UserError as error:  # the row engine's alone, if TFLM's export succeeds
                rows = _reason(error, path)
        return _exported(content, path, "tflm") | {"rows": rows}
    except UserError as error:
        return {"tflm": _reason(error, path), "rows": _reason(error, path)}
    finally:
        defaults.LEAST_IMAGES = before


def _rows_reason(content: bytes, path: Path) -> str:
    model = verify.read(content, path.name)
    try:
        lower(model.shipped)
    except UserError as error:
        return _reason(error, path)
    return EXPORTED


def _exported(content: bytes, path: Path, engine: str, *, counts: bool = False) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        said = exporting.export(content, Path(folder), engine=engine, name=path.name, measures_bounds=counts)
    found = {"tflm": EXPORTED, "changes": list(said.changes), "arena_bytes": said.arena_bytes}
    if said.rows is not None:
        found["rows_bytes"] = said.rows.context_bytes + said.rows.scratch_bytes["dsp"]
    if said.counts:
        found["counts"] = {each.core: _count(each) for each in said.counts}
    return found


def _count(found: Count) -> dict:
    if found.kinds is None:
        return {"reason": found.reason}
    kinds = {kind.kind: {"macs": kind.macs, "instructions": kind.instructions} for kind in found.kinds}
    return {"macs": sum(kind.macs for kind in found.kinds), "instructions": found.instructions, "kinds": kinds}


def _reason(error: UserError, path: Path) -> str:
    """The message without the file's name, the list of the row engine's operators and the remedy."""
    text = str(error).removeprefix(path.name).removeprefix(":").strip()
    text = re.sub(r"(?<=is not an operator of the row engine) \(.*?\)", "", text)
    return text.partition(": ")[0] if text.partition(": ")[0].strip() else text


def sources(folder: Path) -> dict[str, dict]:
    """Source, SHA-256 and licence of each model of a folder, from its `SOURCES.tsv`."""
    with (folder / "SOURCES.tsv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}


def table(results: dict[str, dict]) -> str:
    """The table of the page."""
    headings = ["model", "file that ships", "TFLM: arena, bytes", "row engine: RAM on M4, bytes"]
    headings += ["instructions a MAC, M4", "M55", "reason where refused"]
    rows = []
    for name, found in results.items():
        reasons = [found[engine] for engine in ("tflm", "rows") if found[engine] != EXPORTED]
        ships = "normalized copy" if found.get("changes") else "the original"
        rows.append(
            [
                name.removesuffix(".tflite"),
                ships if found["tflm"] == EXPORTED else "–",
                f"{found['arena_bytes']:,}" if "arena_bytes" in found else "refused",
                f"{found['rows_bytes']:,}" if "rows_bytes" in found else "refused",
                *(_per_mac(found.get("counts", {}).get(core, {})) for core in ("cortex-m4", "cortex-m55")),
                reasons[0] if reasons else "",
            ]
        )
    return f"{markdown_table(headings, rows)}\n\n{_savings(results)}"


def _savings(results: dict[str, dict]) -> str:
    ratios = [found["arena_bytes"] / found["rows_bytes"] for found in results.values() if "rows_bytes" in found]
    return (
        f"The row engine needs {min(ratios):.1f} to {max(ratios):.1f} times less RAM than TFLM's arena, "
        f"{statistics.median(ratios):.1f} times less in the median."
    )


def _per_mac(count: dict) -> str:
    return f"{count['instructions'] / count['macs']:.2f}" if count.get("macs") else "–"


def main() -> None:
    """Export every model and write the results and the page's table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    results = {}
    for name, source in sorted(sources(folder).items()):
        path = folder / name
        if hashlib.sha256(path.read_bytes()).hexdigest() != source["sha256"]:
            sys.exit(f"{path} is not the file that SOURCES.tsv describes")
        results[name] = {key: source[key] for key in ("source", "licence", "sha256")} | outcome(
            path, IMAGES, counts=True
        )
        print(name, results[name], flush=True)
    RESULTS.write_text(json.dumps({"images": IMAGES, "models": results}, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(with_measured(PAGE.read_text(encoding="utf-8"), table(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
