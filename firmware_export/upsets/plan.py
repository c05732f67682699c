"""Draws the injections of a campaign: which bit, when, on which image. The same seed gives the same plan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.upsets.regions import Layout, Region


@dataclass(frozen=True)
class Injection:
    """One flip, with the names by which it is counted."""

    line: str
    """For the harness, without the number: `IMAGE MOMENT MEMORY BYTE BIT`, or what another program reads."""
    region: str
    layer: str
    bit: str


def draw(layout: Layout, images: int, samples: int, seed: int) -> list[Injection]:
    """Draw injections into the row engine's memory, with replacement.

    Args:
        layout: the memory.
        images: number of images.
        samples: injections for each region.
        seed: a region's injections depend on it and on the region's position alone.
    """
    return [
        injection
        for position, region in enumerate(layout.regions)
        for injection in _of_region(layout, region, images, samples, np.random.default_rng([seed, position]))
    ]


def _of_region(
    layout: Layout, region: Region, images: int, samples: int, random: np.random.Generator
) -> list[Injection]:
    bits = random.integers(region.bits, size=samples)
    chosen_images = random.integers(images, size=samples)
    moments: Sequence[str] = ["b"] * samples
    if region.is_during:
        names, shares = layout.moments
        moments = [names[i] for i in random.choice(len(names), size=samples, p=shares)]
    found = []
    for bit, image, moment in zip(bits.tolist(), chosen_images.tolist(), moments, strict=True):
        member, byte = region.at(bit // 8)
        line = f"{image} {moment} {member.memory} {member.start + byte} {bit % 8}"
        place = 8 * (byte % member.element) + bit % 8
        name = f"{place} of {8 * member.element}"
        found.append(Injection(line, region.name, layout.layer(member, byte), name))
    return found
