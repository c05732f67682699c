"""The layout of a page in a browser: positions of its elements, and screenshots."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "google-chrome")
INSTALL = "apt-get install --no-install-recommends chromium"

# Elements with text or a picture; in figures, the text groups of matplotlib.
PIECES = "h1, h2, h3, h4, p, a, dt, dd, caption, th, td, figcaption, img, svg, svg g[id*='-text_']"

_MEASURE = """
const clipped = (element, box) => {
  const scrolled = element.parentElement.closest(".scroll");
  if (!scrolled) return box;
  const around = scrolled.getBoundingClientRect();
  return {left: Math.max(box.left, around.left), right: Math.min(box.right, around.right),
          top: box.top, bottom: box.bottom};
};
const measured = frame => {
  const page = frame.contentDocument;
  const found = [...page.querySelectorAll(PIECES)];
  return {
    height: page.documentElement.scrollHeight,
    width: page.documentElement.scrollWidth,
    pieces: found.map(element => {
      const box = clipped(element, element.getBoundingClientRect());
      const inside = found.indexOf(element.parentElement.closest(PIECES));
      return {kind: element.tagName.toLowerCase(), text: element.id || element.textContent.trim().slice(0, 40),
              left: box.left, top: box.top, right: box.right, bottom: box.bottom, inside: inside};
    }),
  };
};
onload = () => {
  const frames = [...document.querySelectorAll("iframe")];
  const answer = document.createElement("pre");
  answer.id = "answer";
  answer.textContent = JSON.stringify(frames.map(measured));
  document.body.append(answer);
};
"""


@dataclass(frozen=True)
class Piece:
    """A box in CSS pixels from the top left corner of the page; `inside` is the index of the enclosing piece, or -1."""

    kind: str
    text: str
    left: float
    top: float
    right: float
    bottom: float
    inside: int


@dataclass(frozen=True)
class Layout:
    """A page at one width: its size in CSS pixels, and its pieces in document order."""

    width: int
    height: int
    pieces: list[Piece]


def find() -> str:
    """The command of the browser. Without a browser, the test is skipped with the command to install one."""
    for name in NAMES:
        if shutil.which(name):
            return name
    pytest.skip(f"no browser: {INSTALL}")


def layouts(page: Path, widths: tuple[int, ...], folder: Path) -> list[Layout]:
    """The page's layout at each width, in CSS pixels; `folder` is for temporary files."""
    # A window is at least 500 pixels wide; a frame can be narrower.
    frames = "".join(_frame(page, width, 1000) for width in widths)
    script = f"const PIECES = {json.dumps(PIECES)};{_MEASURE}"
    dumped = _browse(_write(folder, f"{frames}<script>{script}</script>"), "--dump-dom", "--hide-scrollbars")
    answer = json.loads(html.unescape(re.search(r'<pre id="answer">(.*?)</pre>', dumped, re.DOTALL)[1]))
    return [Layout(one["width"], one["height"], [Piece(**piece) for piece in one["pieces"]]) for one in answer]


def screenshot(page: Path, layout: Layout, picture: Path) -> Path:
    """Save a screenshot of the whole page as PNG, one pixel per CSS pixel."""
    file = _write(picture.parent, _frame(page, layout.width, layout.height))
    size = f"--window-size={max(500, layout.width)},{layout.height}"
    _browse(file, f"--screenshot={picture}", size, "--hide-scrollbars", "--force-device-scale-factor=1")
    return picture


def _frame(page: Path, width: int, height: int) -> str:
    style = f"display: block; border: 0; width: {width}px; height: {height}px"
    return f'<iframe style="{style}" srcdoc="{html.escape(page.read_text())}"></iframe>'


def _write(folder: Path, body: str) -> Path:
    file = folder / "frames.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body style="margin: 0">{body}</body>')
    return file


def _browse(file: Path, *options: str) -> str:
    # Root cannot use the sandbox, and the page is trusted.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [find(), "--headless", "--disable-gpu", *sandbox, f"--user-data-dir={file.parent / 'profile'}", *options, file],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout
