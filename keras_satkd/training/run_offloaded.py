"""`python run_offloaded.py FOLDER`: train what `keras_satkd.lower` wrote, on the accelerator that JAX finds.

This file needs only JAX and NumPy; copy it to the other machine together with the folder. It writes `trained.npz` into
the folder: the weights of the best epoch, every epoch's metrics, and the name of the accelerator.
"""

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM_FILE = "program.jax_export"
DESCRIPTION_FILE = "program.json"
STATE_FILE = "state.npz"
TRAINED_FILE = "trained.npz"


def train(folder: Path) -> None:
    """Run the program's epochs. `trained.npz` is written after each, so an interrupted training keeps its best weights.

    Args:
        folder: the folder that `keras_satkd.lower` wrote.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    import jax
    import jax.export

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]  # JAX gives it no types
    device = jax.local_devices()[0]
    about = json.loads((folder / DESCRIPTION_FILE).read_text())
    run_epoch = jax.jit(jax.export.deserialize(bytearray((folder / PROGRAM_FILE).read_bytes())).call)
    stored = np.load(folder / STATE_FILE, allow_pickle=False)
    state = [jax.device_put(stored[str(position)], device) for position in range(len(stored.files))]
    host = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in about["arguments"]}
    kept = {name: jax.device_put(array, device) for name, array in host.items() if name not in about["every_epoch"]}
    hardware = f"{device.device_kind} (XLA program run by JAX {jax.__version__})"
    rows: list[dict[str, float]] = []
    for epoch in range(about["epochs"]):
        began = time.monotonic()
        given = kept | {name: host[name][epoch] for name in about["every_epoch"]}
        state, metrics = run_epoch(state, given)
        row = {name: float(value) for name, value in metrics.items()}
        rows.append({"epoch": epoch + 1, "seconds": round(time.monotonic() - began, 2), **row})
        print(json.dumps(rows[-1]), flush=True)
        if not np.isfinite(row["loss"]):
            raise FloatingPointError(
                f"the loss is {row['loss']} in epoch {epoch + 1}: repeat keras_satkd.lower with a lower learning rate"
            )
        scores = [each[about["monitored"]] for each in rows]
        if scores.index(max(scores)) == epoch:
            best = {weight: np.asarray(state[position]) for weight, position in about["weights"].items()}
        _write(folder / TRAINED_FILE, best, rows, hardware)
        if about["patience"] is not None and epoch - scores.index(max(scores)) >= about["patience"]:
            break


def damaged(folder: Path) -> list[str]:
    """Names of the files that are not as `keras_satkd.lower` wrote them."""
    recorded = json.loads((folder / DESCRIPTION_FILE).read_text()).get("sha256", {})
    return [name for name, digest in recorded.items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, weights: dict[str, Any], rows: list[dict[str, float]], hardware: str) -> None:
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        np.savez(file, **weights, rows=np.array(json.dumps(rows)), hardware=np.array(hardware))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run a training that keras_satkd.lower wrote, with JAX.")
    parser.add_argument("folder", type=Path, help="folder that keras_satkd.lower wrote; trained.npz is written into it")
    folder = parser.parse_args().folder
    if not (folder / DESCRIPTION_FILE).is_file():
        parser.error(f"{folder} contains no {DESCRIPTION_FILE}: give a folder that keras_satkd.lower wrote")
    try:
        if found := damaged(folder):
            parser.error(f"{folder / found[0]} is missing or damaged: copy the folder again")
    except (ValueError, AttributeError):
        parser.error(f"{folder / DESCRIPTION_FILE} is damaged: copy the folder again")
    try:
        train(folder)
    except (ImportError, FloatingPointError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
