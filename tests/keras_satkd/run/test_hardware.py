import pytest

from keras_satkd.run import hardware

CPUINFO = """processor\t: 0
model name\t: AMD EPYC 9B45
flags\t\t: fpu sse2 avx2 avx512f {}
"""


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    def use(text: str) -> None:
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")

    return use


def test_bfloat16_is_read_from_the_flags(cpuinfo):
    cpuinfo(CPUINFO.format("avx512_bf16"))
    assert hardware.processor_bfloat16() == ["avx512_bf16"]
    assert hardware.processor().endswith("x AMD EPYC 9B45, avx512_bf16")
    # avx512_bf16x would be another one.
    cpuinfo(CPUINFO.format("avx512_bf16x"))
    assert hardware.processor_bfloat16() == []


def test_where_linux_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "absent")
    assert hardware.processor_bfloat16() == []
    assert " x " in hardware.processor()
