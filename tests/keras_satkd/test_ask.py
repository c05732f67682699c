import pytest

from keras_satkd import ask


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "x", "1/-2"])
def test_a_shard_is_k_of_n(call_in_process, shard):
    code, said, error = call_in_process(ask.main, "ask", "--data", "synthetic", f"--shard={shard}")
    assert (code, said) == (2, "")
    assert error == f"error: --shard is {shard!r}: give K/N with K from 1 to N, such as 3/64\n"


def test_a_folder_must_be_named(call_in_process):
    code, _, error = call_in_process(ask.main, "ask", "--data", "synthetic", "-q")
    assert code == 2
    assert "--distillation.logits-store FOLDER" in error


def test_help_tells_of_shards(call_in_process):
    code, said, _ = call_in_process(ask.main, "ask", "--help")
    assert code == 0
    assert "--shard K/N" in said
