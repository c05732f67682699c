from collections import Counter

import exporting
import pytest

from firmware_export.common.errors import UserError
from firmware_export.upsets import processor
from firmware_export.upsets.outcomes import Found, Outcome
from firmware_export.upsets.plan import Injection

needs_tools = pytest.mark.skipif(processor.missing_tools() is not None, reason=str(processor.missing_tools()))


def test_missing_tools(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "qemu-system-arm not found: apt-get install" in processor.missing_tools()


def test_draws():
    measured = processor.Measured(ticks=1000, stack_bytes=400)
    drawn = processor.draw(measured, 4, 200, 7)
    assert drawn == processor.draw(measured, 4, 200, 7)
    assert Counter(each.region for each in drawn) == {processor.REGISTERS: 200, processor.STACK: 200}
    registers = [each for each in drawn if each.region == processor.REGISTERS]
    assert {each.layer for each in registers} <= set(processor.NAMES)
    for each in registers:
        image, tick, place, bit, limit = map(int, each.line.split())
        assert (image < 4, 1 <= tick < 1000, place, limit) == (True, True, 0, 2000)
        number = bit // 32
        assert number < 15 or bit % 32 >= 27


def _flip(name, bit):
    return 32 * processor.NAMES.index(name) + bit


@pytest.fixture(scope="module")
def built(exported, tmp_path_factory):
    """The program, and what it measured."""
    elf = tmp_path_factory.mktemp("processor") / "upsets.elf"
    return elf, processor.build(exported.path, elf)


@needs_tools
class TestEmulated:
    def test_what_is_measured(self, built):
        _, measured = built
        assert 10_000 < measured.instructions < 10_000_000
        assert 100 < measured.stack_bytes < 2000

    def test_outcomes(self, built, tmp_path):
        elf, measured = built
        middle = measured.ticks // 2
        drawn = [
            Injection(f"0 {middle} 0 {_flip('pc', 30)} {2 * measured.ticks}", processor.REGISTERS, "pc", ""),
            Injection(f"0 {middle} 0 {_flip('flags', 27)} {2 * measured.ticks}", processor.REGISTERS, "flags", ""),
        ]
        found = processor.inject(elf, drawn, work=tmp_path, jobs=1, title="test")
        assert [each.outcome for each in found] == [Outcome.CRASH, Outcome.MASKED]

    def test_the_same_injections_have_the_same_outcomes(self, built, tmp_path):
        elf, measured = built
        drawn = processor.draw(measured, 4, 6, 0)
        first, again = (
            processor.inject(elf, drawn, work=tmp_path / name, jobs=jobs, title="test")
            for name, jobs in (("a", 1), ("b", 2))
        )
        assert first == again
        assert len({each.outcome for each in first}) > 1

    def test_an_interrupted_campaign_resumes(self, built, tmp_path):
        elf, measured = built
        drawn = processor.draw(measured, 4, 2, 0)
        (tmp_path / "processor.journal").write_text("0 5 0\n1 4 0\n2 3 0\n3 2 0\n")
        found = processor.inject(elf, drawn, work=tmp_path, jobs=1, title="test")
        outcomes = (Outcome.HANG, Outcome.CRASH, Outcome.REFUSED, Outcome.WRONG)
        assert found == [Found(outcome, False) for outcome in outcomes]

    def test_a_folder_that_does_not_compile(self, changed_path, tmp_path):
        (changed_path / "satkd_engine.c").write_text("nonsense\n")
        with pytest.raises(UserError, match="failed for cortex-m4"):
            processor.build(exporting.resealed(changed_path), tmp_path / "upsets.elf")
