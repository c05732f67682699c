"""The page as a browser lays it out, on a telephone and on a desk."""

import browser
import made_up_run
import numpy as np
import pytest
from browser import Layout, Piece
from PIL import Image

from keras_satkd.report.write import report

WIDTHS = (390, 1280)
TOLERANCE = 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder):
    # Names as long as they come.
    names = ("HerbaceousVegetation", "PermanentCropOfManyYears", "Sea", "River", "Hochgebirgslandschaft", "Industrial")
    teachers = ("efficientvit_m2_with_a_very_long_name_of_its_own", "mobilevitv2_100_eurosat")
    run = made_up_run.finished(folder / "run", class_names=names, teachers=teachers)
    report(run)
    return run.path("report.html")


@pytest.fixture(scope="module")
def layouts(page, folder) -> dict[int, Layout]:
    return dict(zip(WIDTHS, browser.layouts(page, WIDTHS, folder), strict=True))


def around(layout: Layout, piece: Piece) -> list[Piece]:
    """The pieces that hold a piece, from the innermost."""
    found = []
    while piece.inside >= 0:
        piece = layout.pieces[piece.inside]
        found.append(piece)
    return found


def overlaps(layout: Layout) -> list[tuple[Piece, Piece]]:
    """Pairs of pieces that cover each other, though neither holds the other."""
    boxes = np.array([(each.left, each.top, each.right, each.bottom) for each in layout.pieces])
    size = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    pairs = np.argwhere(np.triu((size > TOLERANCE).all(axis=2), 1))
    found = [(layout.pieces[one], layout.pieces[other]) for one, other in pairs]
    return [pair for pair in found if pair[0] not in around(layout, pair[1]) and pair[1] not in around(layout, pair[0])]


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
class TestLayout:
    def test_the_page_is_not_wider_than_the_screen(self, layouts, width):
        layout = layouts[width]
        assert layout.width == width
        assert [piece for piece in layout.pieces if piece.left < -TOLERANCE or piece.right > width + TOLERANCE] == []

    def test_nothing_covers_anything(self, layouts, width):
        assert len(layouts[width].pieces) > 300
        assert overlaps(layouts[width]) == []

    def test_no_letter_of_a_figure_is_cut_off(self, layouts, width):
        layout = layouts[width]
        letters = [piece for piece in layout.pieces if piece.kind == "g"]
        assert len(letters) > 100
        for piece in letters:
            figure = next(each for each in around(layout, piece) if each.kind == "svg")
            assert figure.left - TOLERANCE <= piece.left, piece
            assert piece.right <= figure.right + TOLERANCE, piece
            assert figure.top - TOLERANCE <= piece.top, piece
            assert piece.bottom <= figure.bottom + TOLERANCE, piece

    def test_no_figure_is_empty(self, page, layouts, width, folder):
        layout = layouts[width]
        seen = Image.open(browser.screenshot(page, layout, folder / f"{width}.png")).convert("RGB")
        for piece in layout.pieces:
            if piece.kind in ("svg", "img"):
                crop = np.asarray(seen.crop(tuple(map(round, (piece.left, piece.top, piece.right, piece.bottom)))))
                assert len(np.unique(crop.reshape(-1, 3), axis=0)) > 20, piece


def piece(left: float, right: float, inside: int = -1) -> Piece:
    return Piece("p", "", left, 0, right, 10, inside)


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ([piece(0, 10), piece(9, 20)], 1),
        ([piece(0, 10), piece(10, 20)], 0),
        ([piece(0, 10), piece(2, 5, inside=0), piece(3, 8, inside=0)], 1),
    ],
)
def test_overlaps_are_seen(pieces, found):
    assert len(overlaps(Layout(100, 10, pieces))) == found
