import json

from firmware_export.upsets import sampling
from firmware_export.upsets.outcomes import ORDER, Found, Outcome, Tally


def test_counts():
    outcomes = [Outcome.WRONG, Outcome.MASKED, Outcome.WRONG, Outcome.HANG]
    tally = Tally.of(Found(outcome, by_scrub=outcome is Outcome.WRONG) for outcome in outcomes)
    assert (tally.injections, tally.by_scrub) == (4, 2)
    assert tally.share(Outcome.WRONG) == 0.5
    assert tally.interval(Outcome.WRONG) == sampling.wilson(2, 4)
    written = json.loads(json.dumps(tally.as_dict()))
    assert written["outcomes"] == {
        "masked": 1,
        "outputs differ": 0,
        "wrong class": 2,
        "refused": 0,
        "crash": 0,
        "hang": 1,
    }
    assert list(written["outcomes"]) == [str(outcome) for outcome in ORDER]
