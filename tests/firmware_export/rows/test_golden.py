"""Golden vectors of the row engine, compiled and run on this machine."""

import subprocess

import rows_runner

from firmware_export.rows import engine, golden
from firmware_export.verify import golden_vectors


def test_golden_vectors_pass_and_fail(library, context, compiled, model, vectors):
    assert library.satkd_self_test(context, len(context)) == rows_runner.STATUS["ok"]
    text = golden.render(model, "make", compiled, vectors, images_are_real=False)["satkd_golden.h"]
    assert "3 GENERATED images" in text
    assert vectors.sha256 in text


def test_wrong_golden_vectors_are_told(compiled, model, vectors, tmp_path):
    other = golden_vectors.GoldenVectors(vectors.inputs, vectors.outputs ^ 1)
    texts = compiled.files | golden.render(model, "make", compiled, other, images_are_real=True)
    main = (
        '#include "satkd_golden.h"\nstatic satkd_context c;\nint main(void) { return satkd_self_test(&c, sizeof c); }\n'
    )
    for name, text in {**texts, "main.c": main}.items():
        (tmp_path / name).write_text(text)
    subprocess.run(
        ["gcc", *(name for name in (*texts, "main.c") if name.endswith(".c")), "-o", "main"], cwd=tmp_path, check=True
    )
    assert subprocess.run([tmp_path / "main"], check=False).returncode == rows_runner.STATUS["wrong"]


def test_the_files_say_whose_they_are(compiled, model, vectors):
    texts = golden.render(model, "make a */ b", compiled, vectors, images_are_real=True)
    assert sorted(texts) == [f"satkd_{name}" for name in engine.GOLDEN_FILES]
    for text in texts.values():
        assert model.sha256 in text
        assert "make a * / b" in text
    assert "3 real images, pixels as the camera gives them" in texts["satkd_golden.h"]
