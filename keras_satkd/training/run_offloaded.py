"""`python run_lowered.py FOLDER`: train what `keras_satkd.lower` wrote, on whatever accelerator JAX finds.

This file needs JAX and NumPy alone and can be copied to another machine together with the folder. It writes
`trained.npz` there: the weights of the best epoch, what every epoch measured, and on what.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM_FILE = "program.hlo"
DESCRIPTION_FILE = "program.json"
STATE_FILE = "state.npz"
TRAINED_FILE = "trained.npz"


def train(folder: Path) -> None:
    """Run the program's epochs; `trained.npz` is written after each, so that a stopped one leaves its best weights.

    Args:
        folder: that `keras_satkd.lower` wrote.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    device = jax.local_devices()[0]
    about = json.loads((folder / DESCRIPTION_FILE).read_text())
    program = _compile((folder / PROGRAM_FILE).read_bytes(), device)
    stored = np.load(folder / STATE_FILE)
    state = [jax.device_put(stored[str(position)], device) for position in range(len(stored.files))]
    host = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in about["arguments"]}
    kept = {name: jax.device_put(array, device) for name, array in host.items() if name not in about["every_epoch"]}
    state_of_output = {int(output): position for output, position in about["state_of_output"].items()}
    hardware = f"{device.device_kind} (XLA program run by JAX {jax.__version__})"
    rows: list[dict[str, float]] = []
    for epoch in range(about["epochs"]):
        began = time.monotonic()
        given = [kept[name] if name in kept else jax.device_put(host[name][epoch], device) for name in host]
        outputs = program.execute_sharded([*given, *state]).disassemble_into_single_device_arrays()
        for output, position in state_of_output.items():
            state[position] = outputs[output][0]
        row = {name: float(outputs[at][0]) for at, name in enumerate(about["metrics"])}
        rows.append({"epoch": epoch + 1, "seconds": round(time.monotonic() - began, 2), **row})
        print(json.dumps(rows[-1]), flush=True)
        if not np.isfinite(row["loss"]):
            raise FloatingPointError(
                f"the loss is {row['loss']} in epoch {epoch + 1}: lower it with a smaller learning rate"
            )
        scores = [each["val_accuracy"] for each in rows]
        if scores.index(max(scores)) == epoch:
            best = {str(at): np.asarray(state[position]) for at, position in enumerate(about["weights"])}
        _write(folder / TRAINED_FILE, best, rows, hardware)
        if about["patience"] is not None and epoch - scores.index(max(scores)) >= about["patience"]:
            break


def _compile(program: bytes, device: Any) -> Any:
    # JAX has no public way to run a program that it did not trace.
    from jax._src.lib import _jax, xla_client  # type: ignore[attr-defined]

    module = _jax.mlir.xla_computation_to_mlir_module(xla_client.XlaComputation(program))
    return device.client.compile_and_load(module, xla_client.DeviceList((device,)), xla_client.CompileOptions())


def _write(path: Path, weights: dict[str, Any], rows: list[dict[str, float]], hardware: str) -> None:
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        np.savez(file, **weights, rows=np.array(json.dumps(rows)), hardware=np.array(hardware))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train what keras_satkd.lower wrote, on what JAX finds.")
    parser.add_argument("folder", type=Path, help="that keras_satkd.lower wrote; gets trained.npz")
    folder = parser.parse_args().folder
    if not (folder / DESCRIPTION_FILE).is_file():
        parser.error(f"{folder} holds no {DESCRIPTION_FILE}: give a folder that keras_satkd.lower wrote")
    try:
        train(folder)
    except (ImportError, FloatingPointError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
