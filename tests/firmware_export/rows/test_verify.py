"""The comparison of the generated C with TensorFlow Lite Micro: what passes, and what is found out."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.rows import verify


def test_a_changed_constant_is_found(compiled):
    files = dict(compiled.files)
    changed_model = dataclasses.replace(compiled, files=files)
    start = r"(?<=\.bias_1 = \{\n    )-?\d+"
    files["satkd_model.c"], changed = re.subn(start, lambda found: str(int(found[0]) ^ 4), files["satkd_model.c"])
    assert changed == 1
    with pytest.raises(UserError, match="exit status 3"):
        verify.check_answers(changed_model, np.zeros((1, 9, 7, 3), np.uint8), np.zeros((1, 5), np.int8))


def test_the_export_compares_every_answer(compiled, model, vectors):
    said = verify.check_answers(compiled, vectors.inputs, vectors.outputs)
    assert said is not None
    wrong = vectors.outputs.copy()
    wrong.reshape(-1)[3] ^= 1
    with pytest.raises(RuntimeError, match="differs from TensorFlow Lite Micro in 1 of 15 outputs"):
        verify.check_answers(compiled, vectors.inputs, wrong)


def test_text_that_does_not_compile_is_refused(compiled, vectors):
    broken = dataclasses.replace(compiled, files=compiled.files | {"satkd_model.c": "int x"})
    with pytest.raises(UserError, match=r"fails on the files of the row engine .*try another compiler"):
        verify.check_answers(broken, vectors.inputs, vectors.outputs)


def test_without_a_compiler_nothing_is_compared(monkeypatch, compiled, vectors):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert verify.check_answers(compiled, vectors.inputs, vectors.outputs ^ 1) is None
