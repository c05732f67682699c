import os
import subprocess
import sys

from firmware_export.common import child


def test_a_module_is_found_where_this_process_finds_it(tmp_path, monkeypatch):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "only_there.py").write_text("import sys; print(sys.argv[1])")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("place")
    words, environment = child.command("only_there", "said"), child.environment()
    monkeypatch.chdir("/")
    assert subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout == "said\n"


def test_files_of_the_working_directory_replace_no_modules(tmp_path, monkeypatch):
    (tmp_path / "select.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    words = child.command("firmware_export.memory.arena_trials")
    done = subprocess.run(words, env=child.environment(), stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0  # nothing to try, not 7


def test_variables_of_more():
    found = child.environment(OPENBLAS_NUM_THREADS="1")
    assert found["OPENBLAS_NUM_THREADS"] == "1"
    assert found["PATH"] == os.environ["PATH"]
