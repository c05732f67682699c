import sys

import numpy as np
import pytest
import tensorflow as tf

from firmware_export.common.errors import UserError
from keras_satkd.training import xla_program
from keras_satkd.training.xla_program import check_jax, compile_program

jax = pytest.importorskip("jax")
LARGE = np.arange(4096, dtype=np.float32)


@pytest.fixture
def program():
    count = tf.Variable(3, dtype=tf.int64)
    unused = tf.Variable(1.0)
    total = tf.Variable(tf.zeros([2], tf.float32))
    large = tf.constant(LARGE)

    @tf.function(jit_compile=True)
    def add(values, weights):
        for row in tf.range(len(values)):
            total.assign_add(values[row])
        count.assign_add(1)
        scaled = tf.cast(tf.cast(weights, tf.bfloat16) * tf.cast(unused, tf.bfloat16), tf.float32)
        return {"sum": tf.reduce_sum(total), "large": large[-1], "halves": scaled / 2}

    specifications = {"values": tf.TensorSpec([5, 2], tf.float32), "weights": tf.TensorSpec([3], tf.uint8)}
    return compile_program(add, specifications), (count, unused, total)


def test_a_program_takes_and_returns_the_variables(program):
    compiled, (count, unused, total) = program
    assert {variable.ref() for variable in compiled.state} == {variable.ref() for variable in (count, unused, total)}
    given = {"values": np.ones((5, 2), np.float32), "weights": np.array([1, 2, 254], np.uint8)}
    with jax.enable_x64(True):
        call = jax.jit(jax.export.deserialize(bytearray(compiled.serialized)).call)
        state, outputs = call([variable.numpy() for variable in compiled.state], given)
        state, outputs = call(state, given)
    after = {variable.ref(): value for variable, value in zip(compiled.state, map(np.asarray, state), strict=True)}
    assert after[count.ref()] == 5
    assert after[unused.ref()] == 1
    np.testing.assert_array_equal(after[total.ref()], [10, 10])
    assert {name: np.asarray(value).tolist() for name, value in outputs.items()} == {
        "sum": 20,
        "large": LARGE[-1],
        "halves": [0.5, 1, 127],
    }
    # The variables themselves stay as they are.
    assert count.numpy() == 3


def test_a_program_is_for_every_platform(program):
    exported = jax.export.deserialize(bytearray(program[0].serialized))
    assert exported.platforms == xla_program.PLATFORMS


def test_what_xla_lacks_is_one_line():
    function = tf.function(lambda text: {"length": tf.strings.length(text)}, jit_compile=True)
    with pytest.raises(UserError, match="XLA cannot compile this training") as caught:
        compile_program(function, {"text": tf.TensorSpec([], tf.string)})
    assert "\n" not in str(caught.value)


def test_jax_is_there():
    check_jax()


@pytest.mark.parametrize("module", ["jax", "jax.export", "jax.extend.mlir.dialects"])
def test_a_missing_or_unsuitable_jax_is_one_line(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"jax .*: run pip install \"keras_satkd\[lowered\]\" \(jax>=0.10,<0.12\)"):
        check_jax()


def test_a_jax_without_what_is_called_is_one_line(monkeypatch):
    from jax.interpreters import mlir

    monkeypatch.delattr(mlir, "merge_mlir_modules")
    with pytest.raises(UserError, match=r"jax \S+ is not supported \(.*merge_mlir_modules"):
        check_jax()


def test_the_supported_range_is_that_of_the_optional_dependency(request):
    assert f'lowered = ["{xla_program.SUPPORTED_JAX}"]' in (request.config.rootpath / "pyproject.toml").read_text()
