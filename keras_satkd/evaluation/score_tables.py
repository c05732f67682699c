"""Tables of what `keras_satkd.evaluate` finds, for the terminal."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from firmware_export.common.tables import terminal_table
from keras_satkd import pgd
from keras_satkd.evaluation import camera, drift, guidance, risk


def tables(result: dict[str, Any]) -> list[Table]:
    """The tables of a result, in percent.

    Args:
        result: of `scoring.evaluate`, with `split`, and with `guidance` and `drift` if they were asked for.
    """

    def percent(*values: float) -> list[str]:
        return [f"{100 * value:.2f}" for value in values]

    def mean(kind: str) -> list[str]:
        return percent(*(result[f"{kind}_{score}"] for score in ("precision", "recall", "f1")))

    found = [
        terminal_table(
            [f"{result['split']} %", "accuracy", "precision", "recall", "F1", "ECE"],
            [
                ["macro", *percent(result["accuracy"]), *mean("macro"), *percent(result["ece"])],
                ["weighted", "", *mean("weighted"), ""],
            ],
        ),
        terminal_table(
            ["class", "images", "precision %", "recall %"],
            [
                [escape(name), f"{scores['images']:,}", *percent(scores["precision"], scores["recall"])]
                for name, scores in result["per_class"].items()
            ],
        ),
    ]
    if "corruptions" in result:
        rows = [[name.replace("_", " "), *percent(*scores)] for name, scores in result["corruptions"].items()]
        found.append(terminal_table(["accuracy %, severity", "1", "2", "3", "4", "5"], rows))
    if "pgd" in result:
        found.append(terminal_table(*pgd.table(result["pgd"])))
    if "camera" in result:
        found.append(terminal_table(*camera.table(result["camera"])))
    if "drift" in result:
        found.append(terminal_table(*drift.table(result["drift"])))
    if "behind" in result:
        behind = result["behind"]
        rows = [["clean", *percent(behind["clean"])]]
        rows += [[name, *percent(part)] for name, part in behind["parts"].items()]
        heading = f"behind the sensor {behind['sensor']}"
        found.append(terminal_table([heading, "accuracy %"], [*rows, ["all parts", *percent(behind["all"])]]))
    if "guidance" in result:
        found.append(terminal_table(*guidance.table(result["guidance"])))
    if "risk" in result:
        found.append(terminal_table(*risk.table(result["risk"])))
    return found
