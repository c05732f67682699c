"""Kill commands at their file-system events, and see what they leave.

`python tests/kills.py NAME FOLDER SECONDS KILLS`: NAME is `export`, `ship` or `study`. A command runs in a child
process that kills itself (SIGKILL) at an event: an `open`, a rename, a removal or a new folder below FOLDER. A line of
JSON is printed, see `run`.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import model_surgery

_BEGAN = time.monotonic()
EVENTS = ("open", "os.", "shutil.", "tempfile.")
Files = dict[str, bytes]


def killed_at(work: Callable[[], None], folder: Path, at: int | None) -> tuple[bool, int]:
    """Run `work` in a child that kills itself at event `at`; None: never.

    Returns:
        Whether it was killed, and the number of events before its end.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        events, name = 0, str(folder)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal events
            if event.startswith(EVENTS) and any(name in each for each in arguments if isinstance(each, str)):
                if events == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                events += 1

        sys.addaudithook(hook)
        status = 1
        try:
            work()
            os.write(writable, str(events).encode())
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        os._exit(status)
    os.close(writable)
    with os.fdopen(readable) as stream:
        counted = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the command ended with {code}"
    return code != 0, int(counted or at or 0)


def files(folder: Path) -> Files:
    """The content of every file below a folder, by relative path; hidden and temporary ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@dataclass
class Campaign:
    """A command to kill.

    Attributes:
        out: the folder that the command writes into.
        work: the command.
        check: called after each kill.
        same: the part of the folder's files in which a killed and repeated command must equal one that was not killed.
        begins_anew: whether the folder is emptied whenever the command has finished.
    """

    out: Path
    work: Callable[[], None]
    check: Callable[[], None]
    same: Callable[[Files], Any]
    begins_anew: bool = True


def export(folder: Path) -> Campaign:
    """Replace an exported folder with another."""
    import exporting

    from firmware_export.output.folder import read_whole

    os.environ["PATH"] = ""  # without compilers, an export takes a second
    model, out = model_surgery.one_convolution(), folder / "out" / "firmware"
    exporting.export(model, out, engine="both", command="one")

    def work() -> None:
        command = "another" if read_whole(out)["command"] == "one" else "one"
        exporting.export(model, out, engine="both", command=command)

    def check() -> None:
        assert set(files(out)) == set(read_whole(out)["files"])

    return Campaign(out.parent, work, check, sorted, begins_anew=False)


def ship(folder: Path) -> Campaign:
    """Copy a student and its int8 model, and describe them."""
    from firmware_export.common import digests
    from keras_satkd.pipeline import release

    killed_at(lambda: _finish_run(folder / "run"), folder, None)
    out = folder / "out"
    out.mkdir()

    def work() -> None:
        release.ship(folder / "run", out, "scenes")

    def check() -> None:
        for path in out.glob("[!.]*"):
            if path.suffix == ".json":
                json.loads(path.read_text())
            else:  # written whole: the description, if it is there, states its digest
                digests.check_described(path)

    return Campaign(out, work, check, lambda found: found)


def _finish_run(workdir: Path) -> None:
    from firmware_export.tflite.convert import float_to_int8
    from keras_satkd.config import Config, DistillationConfig, WeightingConfig
    from keras_satkd.models import students
    from keras_satkd.pipeline import inputs
    from keras_satkd.run import stages
    from keras_satkd.run.artifacts import INT8_FILE, STUDENT_FILE
    from keras_satkd.run.folder import Run
    from keras_satkd.run.results import DistillationResult, Int8Result
    from keras_satkd.settings.data_config import DataConfig

    data = DataConfig(source="synthetic", synthetic_images=60, image_size=16)
    run = Run(workdir, Config(data=data, distillation=DistillationConfig(weighting=WeightingConfig(rule="none"))))
    divided = inputs.prepare(run).split
    student = students.build("resnet8", 16, 10)
    student.save(run.path(STUDENT_FILE))
    run.path(INT8_FILE).write_bytes(float_to_int8(student, divided.train.images))
    run.step(stages.DISTILLATION, lambda: DistillationResult(STUDENT_FILE, 1, 2))
    run.step(stages.INT8, lambda: Int8Result(INT8_FILE, 1))


def study(folder: Path) -> Campaign:
    """Train two rows of a study."""
    from tests_support import tiny_network

    from keras_satkd.config_io import from_dict
    from keras_satkd.study import rows, trainings
    from keras_satkd.study.results import read_results

    def save_teachers() -> None:
        for seed, name in enumerate(("one", "two")):
            tiny_network(10, 16, seed).save(folder / f"{name}.keras")

    killed_at(save_teachers, folder, None)
    names, out = tuple(rows.ROWS)[:2], folder / "out"
    values = {
        "data": {"source": "synthetic", "synthetic_images": 60, "image_size": 16},
        "teachers": {"names": [str(folder / "one.keras"), str(folder / "two.keras")], "accept_weak": True},
        "distillation": {"epochs": 2, "batch_size": 14, "views": 1},
    }
    common = from_dict(values, "test")
    out.mkdir()

    def work() -> None:
        trainings.study(
            rows.Plan(common), out, out, rows=names, chosen_students=("tests_support:small_student",), seeds=1
        )

    def check() -> None:
        if read_results(out / "results.json", rows.Plan(common)):
            assert (out / "study.md").exists()

    def same(found: Files) -> Any:
        results = json.loads(found["results.json"])["results"]
        table = found["study.md"].decode()
        assert all(name in table for name in names)
        scores = [{key: value for key, value in each.items() if key != "training_seconds"} for each in results]
        return scores, [name for name in sorted(found) if "/tensorboard/" not in name]

    return Campaign(out, work, check, same)


def run(campaign: Campaign, seconds: float, kills: int) -> dict[str, int]:
    """Kill a command again and again, each time at another event, and let it finish at last.

    Args:
        campaign: the command.
        seconds: time since the start of this program after which no other kill begins, except the first.
        kills: number of kills.

    Returns:
        The numbers of kills, of runs that ended before their kill, and of events of a whole run.
    """
    root, generator = campaign.out.parent, random.Random(0)
    _, events = killed_at(campaign.work, root, None)
    reference = campaign.same(files(campaign.out))
    _begin_anew(campaign)
    done, ended = 0, 0
    while done < kills and (not done or time.monotonic() < _BEGAN + seconds):
        was_killed, _ = killed_at(campaign.work, root, generator.randrange(events))
        if was_killed:
            done += 1
            killed_at(campaign.check, root, None)  # in a child: TensorFlow cannot be forked once it has run
        else:
            ended += 1
            _compare(campaign, reference)
            _begin_anew(campaign)
    killed_at(campaign.work, root, None)
    _compare(campaign, reference)
    left = [str(path) for path in root.rglob(".*") if path.name != ".gitignore"]
    assert not left, f"left over: {left}"
    return {"kills": done, "ended": ended, "events": events}


def _compare(campaign: Campaign, reference: Any) -> None:
    found = campaign.same(files(campaign.out))
    assert found == reference, f"the repeated command left something else: {found} instead of {reference}"


def _begin_anew(campaign: Campaign) -> None:
    if campaign.begins_anew:
        shutil.rmtree(campaign.out)
        campaign.out.mkdir()


CAMPAIGNS = {"export": export, "ship": ship, "study": study}


def main() -> None:
    """Run one campaign."""
    name, folder, seconds, kills = sys.argv[1:]
    root = Path(folder).resolve() / name
    root.mkdir(parents=True)
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")
    print(json.dumps(run(CAMPAIGNS[name](root), float(seconds), int(kills))))


if __name__ == "__main__":
    main()
