"""The extension points of a training, and how the command line finds an extension by name.

An extension is a Python object: a function, or one of the types that the functions' modules define. Its reference is
`package.module:name`. A `Registry` gives short names to references: those of this package, those that a program
registers, and those that an installed package declares as entry points. This module imports no TensorFlow, so names
are checked before anything else.

The setting of a user's own extension also has the digest of its module's file, `package.module:name@digest`. So a run
whose module has changed is a run with another setting.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_export.common import digests
from firmware_export.common.errors import UserError, unknown_name

DIGEST_LENGTH = 12
"""Hexadecimal digits of a module's SHA-256 in a setting."""

_REFERENCE = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)(?:@(?P<digest>[0-9a-f]+))?")


class Registry:
    """Extensions of one kind.

    Args:
        kind: what they are, for messages: `loss`, say.
        group: the group of entry points in which an installed package declares its own, `keras_satkd.losses` say.
        references: short names and their references, `{"kl": "keras_satkd.losses.kl:kl"}` say.
    """

    def __init__(self, kind: str, group: str, references: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self._own, self._registered = dict(references), dict[str, str]()

    def names(self) -> tuple[str, ...]:
        """The short names of this package and those that `register` added, without entry points."""
        return (*self._own, *self._registered)

    def register(self, name: str, reference: str) -> None:
        """Give a short name to an extension, in this process.

        Args:
            name: without a colon.
            reference: `package.module:name`; it is imported on first use.

        Raises:
            ValueError: the name has a colon, or belongs to another extension; or the reference is none.
        """
        if ":" in name or self._known().get(name, reference) != reference:
            raise ValueError(f"{self.kind} {name!r}: give a name without a colon that no other {self.kind} has")
        if not _REFERENCE.fullmatch(reference):
            raise ValueError(f"{self.kind} {name!r} is {reference!r}: give package.module:name")
        self._registered[name] = reference

    def pinned(self, name: str) -> str:
        """The name as a run records it: a user's own extension as a reference with the digest of its module's file.

        Names of this package, and references that have a digest, stay as they are. Nothing is imported but the packages
        that contain the module.

        Raises:
            UserError: the name is unknown, or the module does not exist.
        """
        if name in self._own:
            return name
        module, attribute, digest = self._parts(self._reference(name))
        return name if digest is not None else f"{module}:{attribute}@{self._digest(name, module)}"

    def load(self, name: str) -> Any:
        """Import an extension.

        Raises:
            UserError: the name is unknown, its module cannot be imported or has no such object, or the module's file is
                not the one with the digest in the name.
        """
        if name in self._own:
            module, attribute, _ = self._parts(self._own[name])
            return getattr(importlib.import_module(module), attribute)
        module, attribute, digest = self._parts(self._reference(name))
        found = digest if digest is None else self._digest(name, module)
        if found != digest:
            raise UserError(
                f"{self.kind} {name!r}: the module's file has the digest {found} now: restore it, or leave out "
                f"'@{digest}' to use it as it is"
            )
        try:
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:  # the module is the user's, and may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{self.kind} {name!r} cannot be imported ({reason[:200]}): correct {module}") from error

    def is_own(self, name: str) -> bool:
        """Whether the extension belongs to this package."""
        return name in self._own

    def _known(self) -> dict[str, str]:
        return self._own | self._registered

    def _reference(self, name: str) -> str:
        if ":" in name:
            return name
        known = self._known()
        if name not in known:
            known |= {point.name: point.value for point in importlib.metadata.entry_points(group=self.group)}
        if name not in known:
            raise unknown_name(self.kind, name, known)
        return known[name]

    def _parts(self, reference: str) -> tuple[str, str, str | None]:
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise UserError(f"{self.kind} {reference!r} is no reference: give package.module:name, or a known name")
        return found["module"], found["name"], found["digest"]

    def _digest(self, name: str, module: str) -> str:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())  # console scripts leave it out, `python -m` does not
        try:
            found = importlib.util.find_spec(module)
        except Exception as error:  # of the packages that contain the module
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{self.kind} {name!r}: {module} cannot be found ({reason[:200]}): correct it") from error
        if found is None or not found.origin or not Path(found.origin).is_file():
            raise UserError(
                f"{self.kind} {name!r}: there is no module {module}: start in its folder, or add that to PYTHONPATH"
            )
        return digests.of(Path(found.origin))[:DIGEST_LENGTH]


class References(Registry):
    """Extensions that have no name but their reference. Whatever is none belongs to others, such as a path."""

    def is_own(self, name: str) -> bool:
        """Whether this is no reference."""
        return not is_reference(name)

    def pinned(self, name: str) -> str:
        """As `Registry.pinned`; what is no reference stays as it is."""
        return name if self.is_own(name) else super().pinned(name)


def is_reference(name: str) -> bool:
    """Whether a text has the form `package.module:name`; `shipped:` precedes names of shipped models."""
    return _REFERENCE.fullmatch(name) is not None and not name.startswith("shipped:")


def reference_of(extension: Any) -> str:
    """The reference of an object that a module names: a function, or an object that holds a function of that module.

    Raises:
        ValueError: no module names it, because it was made inside a function, say.
    """
    function = getattr(extension, "compute", None) or getattr(extension, "make", None) or extension
    module = sys.modules.get(getattr(function, "__module__", ""))
    for name, value in ({} if module is None else vars(module)).items():
        if value is extension:
            return f"{function.__module__}:{name}"
    raise ValueError(f"{extension!r} cannot be saved: give it a name in a module")


LOSSES = Registry(
    "loss",
    "keras_satkd.losses",
    {
        "kl": "keras_satkd.losses.kl:KL",
        "zscore": "keras_satkd.losses.zscore:ZSCORE",
        "dkd": "keras_satkd.losses.dkd:DKD",
        "dist": "keras_satkd.losses.dist:DIST",
        "at": "keras_satkd.losses.at:AT",
        "mimkd": "keras_satkd.losses.mimkd:MIMKD",
        "kdiga": "keras_satkd.losses.kdiga:KDIGA",
    },
)

WEIGHTING_RULES = Registry(
    "weighting rule",
    "keras_satkd.weighting_rules",
    {
        "paper-batch": "keras_satkd.weighting:PAPER_BATCH",
        "paper-sample": "keras_satkd.weighting:PAPER_SAMPLE",
        "confidence": "keras_satkd.weighting:CONFIDENCE",
        "entropy": "keras_satkd.weighting:ENTROPY",
        "static": "keras_satkd.weighting:STATIC",
        "single": "keras_satkd.weighting:SINGLE",
        "none": "keras_satkd.weighting:NONE",
    },
)

TEACHER_SCHEDULES = Registry(
    "teacher schedule",
    "keras_satkd.teacher_schedules",
    {
        "all": "keras_satkd.teacher_schedules:together",
        "weak-to-strong": "keras_satkd.teacher_schedules:weak_to_strong",
        "growing": "keras_satkd.teacher_schedules:growing",
    },
)

AUGMENTATIONS = Registry(
    "augmentation",
    "keras_satkd.augmentations",
    {
        "none": "keras_satkd.data.augment:unchanged",
        "dihedral": "keras_satkd.data.augment:dihedral",
        "satellite": "keras_satkd.data.augment:satellite",
        "strong": "keras_satkd.data.strong:strong",
        "randaugment": "keras_satkd.data.augment:randaugment",
    },
)

STUDENTS = References("student", "", {})

SETTINGS = {
    "student": STUDENTS,
    "distillation.loss.name": LOSSES,
    "distillation.weighting.rule": WEIGHTING_RULES,
    "distillation.teacher_schedule": TEACHER_SCHEDULES,
    "distillation.augmentation": AUGMENTATIONS,
    "teachers.augmentation": AUGMENTATIONS,
    "teachers.fixmatch.strong": AUGMENTATIONS,
}
"""The settings that name extensions."""
