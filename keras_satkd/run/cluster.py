"""The processes that train together, as `TF_CONFIG` names them."""

import json
import os
from dataclasses import dataclass
from typing import Any

from firmware_export.common.errors import UserError

VARIABLE = "TF_CONFIG"

_KINDS = ("chief", "worker")
"""Kinds of processes that train, in the order in which TensorFlow numbers them."""

_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Cluster:
    """The processes that train together, of which this process is one.

    Attributes:
        addresses: `host:port` of each process. The first is the chief, which alone writes the run's folder.
        names: what `TF_CONFIG` calls each, such as `worker 1`.
        position: of this process in them.
    """

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    position: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.position == 0

    def __len__(self) -> int:
        """Number of processes."""
        return len(self.addresses)

    def describe(self, position: int) -> str:
        """Name and address of a process."""
        return f"{self.names[position]} ({self.addresses[position]})"


def find(strategy: str) -> Cluster | None:
    """The cluster that a run with this setting trains in; None if it trains in this process alone.

    Args:
        strategy: as `Config.strategy`.

    Raises:
        UserError: the strategy needs a cluster, and `TF_CONFIG` is not set; or it is wrong.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if strategy == "multi-worker" and not text:
        raise UserError(f"--strategy multi-worker needs the environment variable {VARIABLE}: set it, as in {_EXAMPLE}")
    if strategy not in ("auto", "multi-worker") or not text:
        return None
    cluster = parse(text)
    return cluster if len(cluster) > 1 else None


def parse(text: str) -> Cluster:
    """The cluster in the text of `TF_CONFIG`.

    Raises:
        UserError: it is not as TensorFlow defines it.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{VARIABLE} is not JSON ({error}): give {_EXAMPLE}") from None
    jobs, task = (given.get(key) if isinstance(given, dict) else None for key in ("cluster", "task"))
    if not isinstance(jobs, dict) or not jobs:
        raise UserError(f"{VARIABLE} has no cluster: give {_EXAMPLE}")
    if not isinstance(task, dict):
        raise UserError(f"{VARIABLE} has no task: give {_EXAMPLE}")
    for kind, addresses in jobs.items():
        _check_job(kind, addresses)
    if len(jobs.get("chief", ())) > 1:
        raise UserError(f"{VARIABLE} has {len(jobs['chief'])} chiefs, {', '.join(jobs['chief'])}: give one")
    members = [(kind, index) for kind in _KINDS for index in range(len(jobs.get(kind, ())))]
    addresses = tuple(jobs[kind][index] for kind, index in members)
    if len(set(addresses)) < len(addresses):
        twice = next(each for each in addresses if addresses.count(each) > 1)
        raise UserError(f"{VARIABLE} has the address {twice!r} twice: give each process a port of its own")
    return Cluster(addresses, tuple(f"{kind} {index}" for kind, index in members), _position(task, jobs, members))


def _check_job(kind: str, addresses: Any) -> None:
    if kind not in _KINDS:
        raise UserError(f"{VARIABLE}: cluster has {kind!r}: only 'chief' and 'worker' train")
    if not isinstance(addresses, list) or not addresses:
        raise UserError(f"{VARIABLE}: cluster.{kind} is {addresses!r}: give a list of host:port")
    for address in addresses:
        host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
        if not host or not host.isprintable() or not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
            raise UserError(f"{VARIABLE}: cluster.{kind} has {address!r}: give host:port")


def _position(task: dict[str, Any], jobs: dict[str, list[str]], members: list[tuple[str, int]]) -> int:
    kind, index = task.get("type"), task.get("index")
    if not isinstance(kind, str) or kind not in jobs:
        raise UserError(f"{VARIABLE}: task.type is {kind!r}: give one of the cluster, {' or '.join(jobs)}")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(jobs[kind]):
        raise UserError(f"{VARIABLE}: task.index is {index!r}: give 0 to {len(jobs[kind]) - 1} for {kind}")
    return members.index((kind, index))
