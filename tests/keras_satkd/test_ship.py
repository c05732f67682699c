from keras_satkd import ship


def test_a_folder_without_a_run(call_in_process, tmp_path):
    code, _, said = call_in_process(ship.main, "ship", "--workdir", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert said.startswith("error: --workdir")
    assert "contains no run" in said
    assert len(said.splitlines()) == 1
