from pathlib import Path

import pytest

from firmware_export.common.paths import is_path, looks_like_path, shortened


@pytest.mark.parametrize(
    "text",
    ["", ".", "./m", "../m", "/m", "~/m", "m.zip", "M.ZIP", "a/b/c", "a\\b", "a/m.keras"],
)
def test_paths(text):
    assert looks_like_path(text)
    assert is_path(text)


@pytest.mark.parametrize("text", ["eurosat", "eurosat/all", "eurosat/rgb:2.0.0", "efficientvit_m0@64", "shipped:m.h5"])
def test_names(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not looks_like_path(text)
    assert not is_path(text)
    Path(text).mkdir(parents=True)
    assert is_path(text)


@pytest.mark.parametrize(
    ("path", "others", "short"),
    [
        ("/home/me/m", [], "m"),
        ("/home/me/m", ["/home/me/m", "/home/me/n"], "m"),
        ("/home/a/m", ["/home/b/m"], "a/m"),
        ("/home/a/x/m", ["/home/b/x/m", "x/m"], "a/x/m"),
        ("m", ["a/m"], "m"),
        (".", [], "."),
    ],
)
def test_only_what_distinguishes_a_path_is_kept(path, others, short):
    assert shortened(Path(path), [Path(other) for other in others]) == short
