"""Try to break the tools, and count what held: `make torture`, in twenty minutes at most.

With `--docs`, it also writes the results to `docs/torture/results.json` and the table of `docs/torture.md`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import bombs

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "torture" / "results.json"
PAGE = ROOT / "docs" / "torture.md"
PUBLIC = ROOT.parent / "shared" / "models"
SHIPPED = ROOT / "keras_satkd" / "pretrained"
HEAD = ("| what was tried | how often | what held | what did not | command |", "|---|---:|---|---:|---|")
KILLS = {"export": ("replaces an exported folder", 60), "ship": ("ships models", 180), "study": ("trains a study", 240)}
"""Commands to kill, and seconds for each."""
FLIP_SECONDS, FUZZ_SECONDS = 80, 180
_FLIPS = (
    "found: one line names the file, or it is made again",
    "{found:,} found, {harmless:,} change nothing that is read",
)


def call(script: str, *words: object) -> list[dict[str, Any]]:
    """The lines of JSON that a script of this folder prints.

    Raises:
        RuntimeError: it failed; with its standard error.
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(ROOT / "tests" / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {words[0]} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def models() -> Path:
    """The folder of models to damage: the public ones if they are there, otherwise the shipped ones."""
    return PUBLIC if PUBLIC.exists() else SHIPPED


def torture(folder: Path) -> dict[str, Any]:
    """Run all campaigns one after the other, and print the counts of each."""
    results: dict[str, Any] = {"kills": {}}

    def note(name: str, found: Any) -> Any:
        print(f"{name}: {json.dumps(found)}", flush=True)
        return found

    for name, (_, seconds) in KILLS.items():
        [found] = call("kills.py", name, folder, seconds, 10_000)
        results["kills"][name] = note(f"kills, {name}", found)
    results["flips"] = note("flips", call("flips.py", folder / "flips", FLIP_SECONDS)[0])
    results["bombs"] = note("bombs", call("bombs.py", folder / "bombs")[0])
    outcomes = call("fuzzing.py", models(), 0, 100_000, FUZZ_SECONDS)
    counts = Counter(each["outcome"] for each in outcomes)
    counts["both engines"] = sum(each["message"].startswith("both engines") for each in outcomes)
    results["damaged models"] = note("damaged models", counts)
    results["models"] = f"{len(list(models().glob('*.tflite')))} {'public' if models() == PUBLIC else 'shipped'} models"
    return results


def faults(results: dict[str, Any]) -> list[str]:
    """What did not hold."""
    found = [f"{kind}: {flips['missed']} flips missed" for kind, flips in results["flips"].items() if "missed" in flips]
    found += [f"bomb {name}: {bomb}" for name, bomb in results["bombs"].items() if not bombs.is_refused(bomb)]
    defects = results["damaged models"].get("defect", 0)
    return found + ([f"{defects} damaged models end in a defect"] if defects else [])


def table(results: dict[str, Any]) -> str:
    """The table of the page."""
    rows = [
        (
            f"SIGKILL at a file-system event while a command {KILLS[name][0]}",
            f"kills: {found['kills']:,}, each at one of {found['events']:,} events",
            "the folder is whole, and the repeated command leaves what one that was not killed leaves",
            "0",
            f"`python tests/kills.py {name} FOLDER {KILLS[name][1]} 10000`",
        )
        for name, found in results["kills"].items()
    ]
    for kind, flips in results["flips"].items():
        found, harmless, missed = (flips.get(name, 0) for name in ("found", "harmless", "missed"))
        rows.append(
            (
                f"one flipped bit in {flips['files']} files of: {kind}",
                f"{found + harmless + missed:,} flips",
                f"{found:,} named in one line or made again; {harmless:,} change no value",
                f"{missed:,}",
                f"`python tests/flips.py FOLDER {FLIP_SECONDS}`",
            )
        )
    held = [bomb for bomb in results["bombs"].values() if bombs.is_refused(bomb)]
    largest = max(bomb["peak_mib"] for bomb in results["bombs"].values())
    rows.append(
        (
            f"files that state or inflate to gigabytes: {', '.join(results['bombs'])}",
            f"{len(results['bombs'])} files",
            f"{len(held)} refused in one line with exit code 2; at most {largest:,} MiB of memory",
            str(len(results["bombs"]) - len(held)),
            "`python tests/bombs.py FOLDER`",
        )
    )
    kinds = ("exported", "refused", "died", "defect", "both engines")
    exported, refused, died, defects, both = (results["damaged models"].get(name, 0) for name in kinds)
    rows.append(
        (
            f"damaged `.tflite` files: bytes, dimensions, offsets and options of {results['models']}",
            f"{exported + refused + died + defects:,} files",
            f"{refused:,} refused in one line, {died:,} more because the child process crashed; {exported:,} exported "
            f"after all checks, {both:,} of them for both engines",
            f"{defects:,}",
            f"`python tests/fuzzing.py MODELS 0 100000 {FUZZ_SECONDS}`",
        )
    )
    return "\n".join([*HEAD, *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    """Run all campaigns; exit code 1 if something did not hold."""
    with tempfile.TemporaryDirectory() as folder:
        results = torture(Path(folder))
    if "--docs" in sys.argv:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(HEAD[0], 1)
        PAGE.write_text(head + table(results) + "\n" + rest[rest.index("\n\n") + 1 :], encoding="utf-8")
    print(table(results))
    print(*faults(results), sep="\n")
    sys.exit(bool(faults(results)))


if __name__ == "__main__":
    main()
