import threading
import time

import pytest

from firmware_export.common import limits
from firmware_export.common.errors import UserError


def test_a_limit_is_its_default_or_what_the_user_sets(monkeypatch):
    for name, mebibytes in limits.DEFAULTS.items():
        monkeypatch.delenv(name, raising=False)
        assert limits.limit(name) == mebibytes << 20
        assert limits.is_default(name)
        monkeypatch.setenv(name, "3")
        assert limits.limit(name) == 3 << 20
        assert not limits.is_default(name)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "1e3", "9" * 30, "\u0663", "inf"])
def test_a_limit_is_a_positive_number_of_mebibytes(monkeypatch, text):
    monkeypatch.setenv(limits.IMAGE, text)
    with pytest.raises(UserError, match=r"SATKD_MAX_IMAGE_MIB is .*: give a positive number of MiB, such as 512"):
        limits.limit(limits.IMAGE)


def test_what_is_larger_is_refused_with_the_number_to_set(monkeypatch):
    monkeypatch.setenv(limits.ARRAY, "2")
    limits.check(limits.ARRAY, 2 << 20, "images.npy")
    with pytest.raises(ValueError, match=r"images\.npy takes 3 MiB, more than 2: set SATKD_MAX_ARRAY_MIB to"):
        limits.check(limits.ARRAY, (2 << 20) + 1, "images.npy")


def test_threads_share_a_budget_and_one_alone_always_gets_it():
    budget, used, most = limits.Budget(10), 0, []
    lock = threading.Lock()

    def work(needed: int) -> None:
        nonlocal used
        with budget.take(needed):
            with lock:
                used += needed
                most.append((used, needed))
            time.sleep(0.002)
            with lock:
                used -= needed

    threads = [threading.Thread(target=work, args=(needed,)) for needed in [3, 4, 25, 5, 9, 1, 10, 2] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used == 0
    assert len(most) == 40
    assert all(together <= 10 or together == needed == 25 for together, needed in most)
