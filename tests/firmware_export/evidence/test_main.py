import exporting

from firmware_export.evidence import __main__ as command_line


def test_the_command_writes_the_pack(one_convolution, tmp_path, call_in_process):
    exporting.export(one_convolution, tmp_path / "firmware")
    code, out, err = call_in_process(command_line.main, "firmware_export.evidence", tmp_path / "firmware")
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(tmp_path / f"firmware/evidence/evidence.{end}") for end in ("json", "md")]


def test_a_folder_without_an_export_is_refused(tmp_path, call_in_process):
    code, _, err = call_in_process(command_line.main, "firmware_export.evidence", tmp_path)
    assert code == 2
    assert "has no export.json: give a folder that" in err
    assert len(err.splitlines()) == 1
