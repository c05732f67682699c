"""GeoTIFFs for tests: any number of bands, with the tags by which GDAL names bands and states nodata."""

import io

import numpy as np
import tifffile


def coordinates(x, y, size=10.0, system=32632):
    """Tags of a GeoTIFF whose upper left corner is at x and y; `system` None: in degrees, otherwise an EPSG code."""
    model = (1, 2, 3072, system) if system else (2, 2, 2048, 4326)
    keys = (1, 1, 0, 2, 1024, 0, 1, model[0], model[2], 0, 1, model[3])
    return [
        (33550, "d", 3, (size, size, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, x, y, 0.0), True),
        (34735, "H", len(keys), keys, True),
    ]


def geotiff(pixels, names=(), nodata=None, tags=(), **options):
    """The content of a TIFF.

    Args:
        pixels: [H, W, B] of any type.
        names: of the bands.
        nodata: value of samples that hold nothing.
        tags: others, as `tifffile.imwrite` takes them, such as `coordinates`.
        options: of `tifffile.imwrite`.
    """
    tags = list(tags)
    if names:
        items = (
            f'<Item name="DESCRIPTION" sample="{at}" role="description">{name}</Item>' for at, name in enumerate(names)
        )
        tags.append((42112, "s", 0, f"<GDALMetadata>{''.join(items)}</GDALMetadata>", True))
    if nodata is not None:
        tags.append((42113, "s", 0, str(nodata), True))
    options = {"photometric": "minisblack", "planarconfig": "contig", "metadata": None, **options}
    if pixels.shape[2] == 1:
        pixels, _ = pixels[..., 0], options.pop("planarconfig")
    elif options["planarconfig"] == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, extratags=tags, **options)
    return stream.getvalue()


def raster_folder(path, count, bands=4, size=16, names=("B02", "B03", "B04", "B08"), classes=("Forest", "River")):
    """A folder of 16-bit GeoTIFFs whose classes differ in their bands; returns its path.

    Args:
        path: the folder to write.
        count: images of each class.
        bands: number of bands.
        size: height and width.
        names: of the bands.
        classes: names of the class folders.
    """
    random = np.random.default_rng(0)
    for label, name in enumerate(classes):
        (path / name).mkdir(parents=True, exist_ok=True)
        level = 600 + 2400 * (np.arange(bands) % len(classes) == label)
        for index in range(count):
            pixels = np.clip(level + 250 * random.standard_normal((size, size, bands)), 0, 4095).astype(np.uint16)
            (path / name / f"{index}.tif").write_bytes(geotiff(pixels, names))
    return path
