from keras_satkd.study import __main__ as study


def test_the_command_reaches_the_study(call_in_process, tmp_path):
    code, _, said = call_in_process(study.main, "study", "--workdir", tmp_path, "--rows", "no teachers")
    assert code == 2
    assert said.startswith("error: ")
    assert "did you mean 'no teacher'" in said
