import re

import made_up_run

from keras_satkd.report import html, model_card


def test_the_model_card(tmp_path):
    card = model_card.render(made_up_run.finished(tmp_path / "run"))
    assert '```toml\nname = "poor"\n' in card
    for words in (
        "# resnet8 on EuroSAT_RGB.zip",
        "`" + "5" * 64 + "`",
        "90.50",
        "--data.source EuroSAT_RGB.zip",
        "The drift monitor compares",
    ):
        assert words in card
    check_tables(card)


def check_tables(card: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 7
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_names_are_text_and_nothing_else(tmp_path):
    names = ("<script>alert(1)</script>", "a|b\nc", "[x](javascript:x)", "$\\frac$", "```", "_under_*star*")
    run = made_up_run.finished(tmp_path / "run", class_names=names, teachers=("<b>one", "t|wo"))
    card = model_card.render(run)
    check_tables(card)
    assert "<script" not in card
    assert "<b>" not in card
    assert "&lt;script>alert(1)&lt;/script>, a\\|b c, \\[x\\](javascript:x)" in card
    html.render(run)  # matplotlib would take $…$ for mathematics
