import sys

import pytest

from firmware_export.common.errors import UserError
from firmware_export.upsets import workers
from firmware_export.upsets.outcomes import Found, Outcome

PROGRAM = """
import sys
with open(sys.argv[1]) as plan, open(sys.argv[2], "a") as journal:
    for line in plan:
        number, outcome = line.split()
        journal.write(f"{number} {outcome} 1\\n")
"""
PLAN = {number: str(number % 6) for number in range(20)}


def program(text):
    return lambda plan, journal: [sys.executable, "-c", text, str(plan), str(journal)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_injection_has_its_result(tmp_path, jobs):
    found = workers.run(PLAN, tmp_path / "work", program(PROGRAM), jobs, "test")
    assert list(found) == list(PLAN)
    assert found[2] == Found(Outcome.WRONG, True)


def test_a_second_run_resumes(tmp_path):
    (tmp_path / "0.journal").write_text("".join(f"{number} 5 0\n" for number in range(18)) + "1")  # of "18 0 1"
    found = workers.run(PLAN, tmp_path, program(PROGRAM), 2, "test")
    assert [found[number].outcome for number in (0, 17, 18, 19)] == [
        Outcome.HANG,
        Outcome.HANG,
        Outcome.MASKED,
        Outcome.DIFFERS,
    ]
    workers.run(PLAN, tmp_path, program("raise SystemExit(1)"), 2, "test")  # nothing is left


def test_a_program_that_fails(tmp_path):
    with pytest.raises(UserError, match=r"test: .*\(no luck\)"):
        workers.run(PLAN, tmp_path, program("raise SystemExit('no luck')"), 1, "test")


def test_a_program_that_leaves_some_out(tmp_path):
    with pytest.raises(UserError, match="20 injections have no result"):
        workers.run(PLAN, tmp_path, program("pass"), 1, "test")
