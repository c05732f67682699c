import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.run import cluster

TWO = {"worker": ["one:1000", "two:1000"]}


def text(jobs=TWO, kind="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


def test_the_first_worker_is_chief():
    found = [cluster.parse(text(index=index)) for index in (0, 1)]
    assert [each.is_chief for each in found] == [True, False]
    assert (len(found[1]), found[1].describe(1)) == (2, "worker 1 (two:1000)")


def test_a_chief_of_its_own():
    jobs = {"worker": ["a:1", "b:1"], "chief": ["c:1"]}
    assert cluster.parse(text(jobs, "chief")).is_chief
    found = cluster.parse(text(jobs, index=1))
    assert (found.position, found.addresses) == (2, ("c:1", "a:1", "b:1"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", r"TF_CONFIG is not JSON \(.*\): give \{"),
        ("[" * 100_000, "TF_CONFIG is not JSON"),
        ("[]", "TF_CONFIG has no cluster"),
        (json.dumps({"task": {"type": "worker", "index": 0}}), "TF_CONFIG has no cluster"),
        (json.dumps({"cluster": TWO}), "TF_CONFIG has no task"),
        (text(index=2), "task.index is 2: give 0 to 1 for worker"),
        (text(index=-1), "task.index is -1"),
        (text(index="0"), "task.index is '0'"),
        (text(index=True), "task.index is True"),
        (text(kind="chief"), "task.type is 'chief': give one of the cluster, worker"),
        (text({"chief": ["a:1", "b:1"]}, "chief"), "has 2 chiefs, a:1, b:1: give one"),
        (text({"worker": ["a:1"], "ps": ["b:1"]}), "cluster has 'ps': only 'chief' and 'worker' train"),
        (text({"worker": []}), r"cluster.worker is \[\]: give a list of host:port"),
        (text({"worker": "a:1"}), "cluster.worker is 'a:1'"),
        (text({"worker": ["a"]}), "cluster.worker has 'a': give host:port"),
        (text({"worker": ["a:70000"]}), "cluster.worker has 'a:70000'"),
        (text({"worker": ["a:1", "a:1"]}), "has the address 'a:1' twice"),
    ],
)
def test_what_tensorflow_does_not_define(given, said):
    with pytest.raises(UserError, match=said) as caught:
        cluster.parse(given)
    assert "\n" not in str(caught.value)


words = st.sampled_from(["worker", "chief", "type", "index", "a:1", "b:\n1", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["cluster", "task"]), json_values))
def test_any_json_is_a_cluster_or_an_error_of_one_line(value):
    try:
        message = cluster.parse(json.dumps(value)).describe(0)
    except UserError as error:
        message = str(error)
    assert message.isprintable()


def test_when_there_is_a_cluster(monkeypatch):
    monkeypatch.delenv(cluster.VARIABLE, raising=False)
    assert cluster.find("auto") is None
    with pytest.raises(UserError, match="--strategy multi-worker needs the environment variable TF_CONFIG"):
        cluster.find("multi-worker")
    monkeypatch.setenv(cluster.VARIABLE, text())
    assert [cluster.find(name) is not None for name in ("auto", "multi-worker", "one", "mirrored")] == [
        True,
        True,
        0,
        0,
    ]
    monkeypatch.setenv(cluster.VARIABLE, text({"worker": ["one:1000"]}))
    assert cluster.find("auto") is None
