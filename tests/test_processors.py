"""Tests that depend on the processor, run as if on other processors.

The rest of the suite uses the instructions of this machine's processor. The fixture `processor` of `tests/keras_satkd`
covers mixed precision; this module limits the instructions that TensorFlow's kernels and XLA use.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROCESSORS = {
    "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "AVX2 only": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
}
TRAINING = "tests/keras_satkd/training/test_train.py::test_a_student_trains_under_either_source_of_logits"
TESTS = (
    f"{TRAINING}[float32-precomputed]",
    f"{TRAINING}[bfloat16-precomputed]",
    "tests/keras_satkd/training/test_fit.py::test_mixed_precision_trains_or_is_refused",
    "tests/keras_satkd/training/test_offload.py::test_jax_trains_as_fit_does",
    "tests/firmware_export/verify/test_keras_parity.py::test_the_trained_graph_agrees_within_one_step",
)


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_training_and_export_work_on_other_processors(processor):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | PROCESSORS[processor]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
