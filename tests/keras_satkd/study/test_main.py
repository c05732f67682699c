from keras_satkd.study import __main__ as study


def test_the_command_reaches_the_study(call_in_process, tmp_path):
    code, _, said = call_in_process(study.main, "study", "--workdir", tmp_path, "--rows", "no teachers")
    assert code == 2
    assert said.startswith("error: ")
    assert "did you mean 'no teacher'" in said


def test_rows_from_a_file(call_in_process, tmp_path):
    (tmp_path / "mine.toml").write_text("[long]\ndistillation.epochs = 0.5\n")
    words = ["--rows-from", tmp_path / "mine.toml", "--workdir", tmp_path / "run"]
    code, _, said = call_in_process(study.main, "study", *words)
    assert (code, said.startswith("error: row 'long' of the study: distillation.epochs is 0.5")) == (2, True), said
    assert not (tmp_path / "run").exists()
    code, _, said = call_in_process(study.main, "study", *words[:1], "methods", *words[2:], "--rows", "DKC")
    assert (code, "did you mean 'DKD'" in said) == (2, True), said
