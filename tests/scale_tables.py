"""The tables of docs/many_machines.md from the results of `make bench-scale`."""

from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "many_machines.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
TILE = 16
CORES = 16
TEACHER = "efficientvit_m2@96"
TILES, EPOCHS, ASKED_VIEWS, MACHINES = 10_000_000, 100, 50, (1, 8, 64)


def lines(results: dict[str, Any]) -> list[str]:
    """The tables of the page."""
    trials = results["memory"]
    found = ["| | " + " | ".join(f"{trial['thousand_tiles']} thousand tiles" for trial in trials) + " |"]
    found.append("|---|" + "---|" * len(trials))
    for title, key in (
        ("largest memory, MiB", "peak_mib"),
        ("of it before any image, MiB", "start_mib"),
        ("seconds to the first batch", "seconds_to_first_batch"),
        ("the same, from the cache", "from_cache"),
    ):
        found.append(f"| {title} | " + " | ".join(f"{trial[key]:,.0f}" for trial in trials) + " |")
    found += ["", "| ratio | measured | aim |", "|---|---|---|"]
    speed = results["speed"]
    found.append(f"| step with logits from a store / in memory | {speed['step_with_store_over_memory']:.2f} | ≤ 1.05 |")
    found.append(f"| step with images from disk too / all in memory | {speed['step_from_disk_over_memory']:.2f} | |")
    for batch, ratio in results["processes"].items():
        title = f"images a second in batches of {batch}, two processes with half of the cores each / one with all"
        found.append(f"| {title} | {ratio:.2f} | |")
    return [*found, "", *arithmetic(speed)]


def arithmetic(speed: dict[str, float]) -> list[str]:
    """What ten million tiles would take, by division of the measured speeds."""
    student, teacher = (speed[f"{name}_images_per_core_second"] for name in ("student", "teacher"))
    days = TILES / CORES / 86400
    asked, trained = days * ASKED_VIEWS / teacher, days * EPOCHS / student
    shared = " | ".join(f"{asked / number:.2g}" for number in MACHINES)
    return [
        "By arithmetic, not by measurement: days for ten million tiles of 64×64 pixels on machines of "
        f"{CORES} cores, each as fast as the measured one, on which a teacher ({TEACHER}) sees {teacher} images a "
        f"second and a student is trained on {student}. Machines that ask a teacher share nothing, so 64 of them "
        "take a 64th.",
        "",
        "| days | " + " | ".join(f"{number} machine{'s' * (number > 1)}" for number in MACHINES) + " |",
        "|---|" + "---|" * len(MACHINES),
        f"| a teacher's logits of {ASKED_VIEWS} views | {shared} |",
        f"| {EPOCHS} epochs of the student | {trained:,.1f} | | |",
    ]


def renew(results: dict[str, Any], page: Path = PAGE) -> None:
    """Write the tables into the page, between its markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text("\n".join([before + BEGIN, *lines(results), END]) + after, encoding="utf-8")
