import sys

from firmware_export.common import invocation


def test_a_module_is_called_as_it_was_typed(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/there/keras_satkd/distill.py", "--config", "demo"])
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", "keras_satkd.distill", "--config", "demo"])
    assert invocation.name("keras_satkd.distill") == "python -m keras_satkd.distill"
    assert invocation.command() == "python3 -m keras_satkd.distill --config demo"


def test_a_script_is_called_by_its_name_where_the_shell_finds_that_very_script(monkeypatch, tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "satkd-distill").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "first"))
    for folder, word in (("first", "satkd-distill"), ("second", str(tmp_path / "second" / "satkd-distill"))):
        monkeypatch.setattr(sys, "argv", [str(tmp_path / folder / "satkd-distill"), "--data", "my images"])
        assert invocation.name("keras_satkd.distill") == "satkd-distill"
        assert invocation.command() == f"{word} --data 'my images'"
