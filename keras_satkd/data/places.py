"""Places of images from the coordinates in their GeoTIFFs, and places of tiles in one raster."""

import contextlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.decode import EncodedImage, FileReader
from firmware_export.images.reading import place_of_tile
from firmware_export.images.samples import Samples, is_tiff
from firmware_export.images.tiff_pages import orientation_of, pages_of
from keras_satkd.data.groups import on_sphere
from keras_satkd.settings.data_config import DataConfig

logger = logging.getLogger("keras_satkd")

_GEOGRAPHIC = 2
"""Value of `GTModelTypeGeoKey` (OGC GeoTIFF 1.1): longitude and latitude."""


@dataclass(frozen=True, eq=False)
class Grid:
    """How an image lies on the map.

    Attributes:
        transform: float64 [2, 3]; column, row and 1 → x and y, or longitude and latitude in degrees. The corner of the
            first pixel is at column 0 and row 0.
        width: of the image in pixels.
        height: of the image in pixels.
        system: name of the coordinate system, such as `EPSG:32632`; `degrees` of longitude and latitude.
    """

    transform: np.ndarray
    width: int
    height: int
    system: str

    @property
    def is_in_degrees(self) -> bool:
        """Whether its coordinates are longitude and latitude."""
        return self.system == "degrees"


def positions(images: Sequence[EncodedImage], names: Sequence[str], settings: DataConfig) -> np.ndarray | None:
    """The places of images or tiles, as in `ImageSet.positions`.

    Tiles of images without coordinates get their place in the image in pixels, each image far from the others.

    Args:
        images: the files.
        names: N names of images or tiles.
        settings: `block` and `tile`.

    Returns:
        float64 [N, 2 or 3]; None if images without coordinates are not cut into tiles.

    Raises:
        UserError: some images have coordinates and others do not, or they are in several coordinate systems.
    """
    wanted = {place_of_tile(name)[0] for name in names}
    grids = {image.file: grid_of(image) for image in images if image.file in wanted}
    located = {file: grid for file, grid in grids.items() if grid is not None}
    if not located:
        return None if settings.tile is None else _in_pixels(names, settings)
    without = [file for file, grid in grids.items() if grid is None]
    if without:
        raise UserError(
            f"{without[0]} has no coordinates, {next(iter(located))} has: --data.block needs those of all images; add "
            "them, or give a manifest with columns x and y"
        )
    systems = sorted({grid.system for grid in located.values()})
    if len(systems) > 1:
        raise UserError(
            f"{settings.name} has coordinates in {len(systems)} systems ({', '.join(systems[:3])}): --data.block needs "
            "one; reproject the images, or give a manifest with columns lon and lat"
        )
    places = np.array([_center(name, located, settings.tile) for name in names])
    logger.info("%s: the places of the images are those in their GeoTIFFs (%s)", settings.name, systems[0])
    return on_sphere(places[:, 0], places[:, 1]) if systems == ["degrees"] else places


def grid_of(image: EncodedImage) -> Grid | None:
    """How an image lies on the map; None if its file does not tell, or cannot be read."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it also raises what it logs
    # Damaged files have been reported when they were decoded.
    with contextlib.suppress(Exception), contextlib.ExitStack() as opened:
        if isinstance(image.read, FileReader) and image.read.path is not None:
            file: Any = opened.enter_context(image.read.path.open("rb"))
        else:
            content = image.read()
            file = io.BytesIO(b"" if isinstance(content, Samples) else content)
        start = file.read(4)
        file.seek(0)
        return _grid(pages_of(tifffile.TiffFile(file))[0]) if is_tiff(start) else None
    return None


def _grid(page: Any) -> Grid | None:
    tags = page.geotiff_tags or {}
    matrix = tags.get("ModelTransformation")
    scale, tie = tags.get("ModelPixelScale"), tags.get("ModelTiepoint")
    if matrix is not None:
        transform = np.array(matrix, float)[:2, [0, 1, 3]]
    elif scale is not None and tie is not None:
        column, row, _, x, y, _ = np.array(tie, float).reshape(-1, 6)[0]
        transform = np.array([[scale[0], 0, x - column * scale[0]], [0, -scale[1], y + row * scale[1]]])
    else:
        return None
    # GDAL does not turn such images either, so their coordinates would be those of other pixels.
    if not np.isfinite(transform).all() or orientation_of(page) != 1:
        return None
    return Grid(transform, page.imagewidth, page.imagelength, _system(tags))


def _system(tags: dict[str, Any]) -> str:
    if int(tags.get("GTModelTypeGeoKey", 0)) == _GEOGRAPHIC:
        return "degrees"
    code = tags.get("ProjectedCSTypeGeoKey")
    return "unnamed" if code is None else f"EPSG:{int(code)}"


def _center(name: str, grids: dict[str, Grid], tile: int | None) -> np.ndarray:
    file, row, column = place_of_tile(name)
    grid = grids[file]
    height, width = (grid.height, grid.width) if tile is None else (tile, tile)
    return np.asarray(grid.transform @ (column + width / 2, row + height / 2, 1))


def _in_pixels(names: Sequence[str], settings: DataConfig) -> np.ndarray:
    parsed = [place_of_tile(name) for name in names]
    places = np.array([(column, row) for _, row, column in parsed], float)
    _, numbers = np.unique([file for file, _, _ in parsed], return_inverse=True)
    # No block holds tiles of two images, and no tile is near another image.
    far = places.max() + 2 * ((settings.block or 0) + (settings.block_gap or 0) + (settings.tile or 0)) + 1
    places[:, 0] += numbers * far
    logger.info("%s: the images have no coordinates; --data.block is in pixels of each image", settings.name)
    return places
