import re

import made_up_run

from keras_satkd.report import model_card


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
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 7
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
