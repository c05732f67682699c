"""A campaign in one exported folder: all injections, and their counts by region, layer and bit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.upsets import plan, processor, row_engine, tflm
from firmware_export.upsets.folder import Exported
from firmware_export.upsets.outcomes import Found, Outcome, Tally
from firmware_export.upsets.plan import Injection
from firmware_export.upsets.rates import Exposure


class Exposed(StrEnum):
    """When a flip in a region matters."""

    ALWAYS = "always"
    """The memory holds its content between images."""
    IMAGE = "during an image"
    OTHERWISE_COUNTED = "counted elsewhere"
    """The same bits at another moment."""


@dataclass(frozen=True)
class RegionResult:
    """A region's injections."""

    engine: str
    name: str
    bits: int
    exposed: Exposed
    tally: Tally

    @property
    def exposure(self) -> Exposure | None:
        """By the share of wrong answers; None for bits that another region counts."""
        return self._exposure(self.tally.share(Outcome.WRONG))

    @property
    def highest_exposure(self) -> Exposure | None:
        """By the upper end of the 95 % interval."""
        return self._exposure(self.tally.interval(Outcome.WRONG)[1])

    def _exposure(self, wrong: float) -> Exposure | None:
        if self.exposed is Exposed.OTHERWISE_COUNTED:
            return None
        return Exposure(self.bits, wrong, self.exposed is Exposed.ALWAYS)


@dataclass(frozen=True)
class Settings:
    """How much is injected."""

    samples: int
    """Injections for each region of the row engine."""
    slow_samples: int
    """Injections for each region of TFLM and of the emulated processor; 0 for none."""
    seed: int
    jobs: int
    work: Path
    """Folder of the journals."""


@dataclass(frozen=True)
class FolderResult:
    """All results of a folder."""

    name: str
    sha256: str
    images: int
    is_golden: bool
    has_classes: bool
    """Whether the model is a classifier; otherwise other outputs count as a wrong class."""
    prices: dict[str, int]
    """Bytes, and instructions of an image."""
    left_out: tuple[str, ...]
    """What was not injected into, and why."""
    regions: tuple[RegionResult, ...]
    layers: dict[str, dict[str, Tally]]
    """By region, then by layer."""
    bits: dict[str, dict[str, Tally]]
    """By region, then by the bit's place in its element."""

    @property
    def note(self) -> str | None:
        """What to know of the outcomes."""
        return None if self.has_classes else "The model is no classifier: all other outputs count as a wrong class."

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that were injected into."""
        return tuple(dict.fromkeys(region.engine for region in self.regions))

    def exposures(self, engine: str, *, highest: bool = False) -> list[Exposure]:
        """Those of an engine's regions: by the shares, or by the upper ends of their intervals."""
        found = (r.highest_exposure if highest else r.exposure for r in self.regions if r.engine == engine)
        return [exposure for exposure in found if exposure is not None]


ROWS, TFLM = "row engine", "TFLM"


def run(exported: Exported, settings: Settings) -> FolderResult:
    """Inject into every engine of a folder.

    Raises:
        UserError: a compiler is missing or rejects the folder, or the model is changed.
    """
    parts: list[_Part] = []
    left_out: list[str] = []
    prices: dict[str, int] = {}
    if Engine.ROWS in exported.engines:
        report = exported.report["rows"]
        prices |= {"rows_ram": report["context_bytes"], "rows_constants": report["constants_bytes"]}
        parts.append(_row_engine(exported, settings))
        _processor(exported, settings, parts, left_out, prices)
    if Engine.TFLM in exported.engines:
        prices |= {"tflm_arena": exported.report["arena_bytes"], "tflm_model": exported.report["flash_bytes"]}
        if settings.slow_samples:
            try:
                arena_bytes = tflm.arena_bytes(exported)
            except UserError as error:
                arena_bytes = 0
                left_out.append(str(error))
            parts.append(_tflm(exported, settings, arena_bytes))
        else:
            left_out.append("TFLM: --slow-samples 0")
    has_classes = exported.graph.is_classifier
    if not has_classes:
        parts = [replace(part, found=_without_classes(part.found)) for part in parts]
    return FolderResult(
        name=exported.name,
        sha256=exported.report["sha256"],
        images=len(exported.inputs),
        is_golden=exported.is_golden,
        has_classes=has_classes,
        prices=prices,
        left_out=tuple(left_out),
        regions=tuple(region for part in parts for region in part.regions),
        layers={name: found for part in parts for name, found in part.by("layer").items()},
        bits={name: found for part in parts for name, found in part.by("bit").items()},
    )


def _without_classes(found: Sequence[Found]) -> list[Found]:
    """Count every changed output as a wrong answer, because any of them may matter to its reader."""
    return [replace(each, outcome=Outcome.WRONG) if each.outcome is Outcome.DIFFERS else each for each in found]


@dataclass(frozen=True)
class _Part:
    """Injections into one engine, and the regions' bits and exposures."""

    engine: str
    about: dict[str, tuple[int, Exposed]]
    drawn: Sequence[Injection]
    found: Sequence[Found]

    @property
    def regions(self) -> list[RegionResult]:
        """The results by region."""
        of_region = _grouped(self.drawn, self.found, "region")
        return [RegionResult(self.engine, name, *self.about[name], Tally.of(of_region[name])) for name in self.about]

    def by(self, name: str) -> dict[str, dict[str, Tally]]:
        """The counts by region, then by `layer` or `bit`, without those that have only one."""
        tallies = {}
        for region in self.about:
            pairs = [(d, f) for d, f in zip(self.drawn, self.found, strict=True) if d.region == region]
            groups = _grouped([d for d, _ in pairs], [f for _, f in pairs], name)
            if len(groups) > 1:
                tallies[region] = {key: Tally.of(groups[key]) for key in sorted(groups, key=_order)}
        return tallies


def _order(key: str) -> tuple[int, str]:
    number = "".join(character for character in key.partition(":")[0].split(" ")[0] if character.isdigit())
    return (int(number) if number else -1, key)


def _grouped(drawn: Sequence[Injection], found: Sequence[Found], name: str) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for injection, each in zip(drawn, found, strict=True):
        groups.setdefault(getattr(injection, name), []).append(each)
    return groups


def _row_engine(exported: Exported, settings: Settings) -> _Part:
    program = settings.work / "programs" / f"{exported.name.replace('/', '-')}-rows"
    layout = row_engine.build(exported, program)
    drawn = plan.draw(layout, len(exported.inputs), settings.samples, settings.seed)
    files = _sources(exported) + program.with_suffix(".c").read_bytes()
    work = settings.work / _digest(ROWS, files, exported.inputs.tobytes(), drawn)
    found = row_engine.inject(exported, layout, program, drawn, work=work, jobs=settings.jobs)
    about = {region.name: (region.bits, _exposed(region.is_always)) for region in layout.regions}
    return _Part(ROWS, about, drawn, found)


def _exposed(is_always: bool) -> Exposed:
    return Exposed.ALWAYS if is_always else Exposed.IMAGE


def _processor(
    exported: Exported, settings: Settings, parts: list[_Part], left_out: list[str], prices: dict[str, int]
) -> None:
    reason = processor.missing_tools() if settings.slow_samples else "--slow-samples 0"
    if reason:
        left_out.append(f"registers and stack: {reason}")
        return
    elf = settings.work / "programs" / f"{exported.name.replace('/', '-')}-m4.elf"
    elf.parent.mkdir(parents=True, exist_ok=True)
    measured = processor.build(exported.path, elf)
    prices["rows_m4_instructions"] = measured.instructions
    vectors = exported.report["golden_vectors"]["count"]
    drawn = processor.draw(measured, vectors, settings.slow_samples, settings.seed)
    work = settings.work / _digest("processor", _sources(exported), processor.PROGRAM.read_bytes(), drawn)
    title = f"{exported.name}, emulated Cortex-M4"
    found = processor.inject(elf, drawn, work=work, jobs=settings.jobs, title=title)
    about = {
        processor.REGISTERS: (processor.REGISTER_BITS, Exposed.IMAGE),
        processor.STACK: (8 * measured.stack_bytes, Exposed.IMAGE),
    }
    parts.append(_Part(ROWS, about, drawn, found))


def _tflm(exported: Exported, settings: Settings, arena_bytes: int) -> _Part:
    spans = tflm.spans(exported.model, arena_bytes)
    drawn = tflm.draw(spans, len(exported.inputs), settings.slow_samples, settings.seed)
    work = settings.work / _digest(TFLM, exported.model, exported.inputs.tobytes(), drawn)
    found = tflm.inject(exported, drawn, work=work, jobs=settings.jobs)
    about = {
        name: (spans.bits(name), Exposed.OTHERWISE_COUNTED if name == tflm.AT_START else Exposed.ALWAYS)
        for name in spans.regions
    }
    return _Part(TFLM, about, drawn, found)


def _sources(exported: Exported) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(exported.path.glob("*.[ch]")))


def _digest(engine: str, content: bytes, inputs: bytes, drawn: Sequence[Injection]) -> str:
    """The name of a folder of journals: the same injections into the same files resume there."""
    found = hashlib.sha256(engine.encode() + content + inputs)
    for injection in drawn:
        found.update(injection.line.encode() + b"\n")
    return found.hexdigest()[:16]


def region_from_dict(content: Mapping[str, Any]) -> RegionResult:
    """A region as `as_dict` writes it."""
    counts = {Outcome(name): count for name, count in content["outcomes"].items()}
    tally = Tally(counts, content["found_by_scrub"])
    return RegionResult(content["engine"], content["region"], content["bits"], Exposed(content["exposed"]), tally)


def as_dict(result: FolderResult) -> dict[str, Any]:
    """For JSON."""
    return {
        "name": result.name,
        "sha256": result.sha256,
        "images": result.images,
        "golden_vectors": result.is_golden,
        "has_classes": result.has_classes,
        "prices": result.prices,
        "left_out": list(result.left_out),
        "regions": [
            {
                "engine": region.engine,
                "region": region.name,
                "bits": region.bits,
                "exposed": str(region.exposed),
                **region.tally.as_dict(),
            }
            for region in result.regions
        ],
        "layers": {name: {k: t.as_dict() for k, t in found.items()} for name, found in result.layers.items()},
        "places_of_bits": {name: {k: t.as_dict() for k, t in found.items()} for name, found in result.bits.items()},
    }
