"""The build page in a real browser: light, dark, a phone, print; every text seen, every picture drawn.

Screenshots are kept in build/pages/ for people to look at.
"""

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Tab, browser, find_browser
from pages import build_folder, small_network, whole_folder, wide_network, window_network
from PIL import Image
from simulate import ROOT

from sbnn.boards.page import write_index, write_page

SHOTS = ROOT / "build" / "pages"
EXECUTABLE = find_browser()
VIEWS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (390, "light")}
VIEWS |= {"phone-dark": (390, "dark"), "tablet": (820, "light")}

pytestmark = pytest.mark.skipif(
    EXECUTABLE is None,
    reason="needs a browser: none of chromium, chromium-browser, google-chrome is on PATH",
)

# Every visible text with its box, size, colours and the drawing that it is in.
TEXTS = """
(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest('style, title')) continue;
    const style = getComputedStyle(parent);
    if (!parent.checkVisibility()) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    const box = range.getBoundingClientRect(), drawing = parent.closest('svg');
    let paper = parent;
    const clear = e => getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (paper && clear(paper)) paper = paper.parentElement;
    let frame = null;
    if (drawing) { const r = drawing.getBoundingClientRect(); frame = [r.left, r.top, r.right, r.bottom]; }
    const root = getComputedStyle(document.documentElement);
    found.push({
      text: node.data.trim(), box: [box.left, box.top, box.right, box.bottom],
      size: parseFloat(style.fontSize), ink: drawing ? style.fill : style.color,
      papers: drawing ? ['--paper', '--panel', '--sparse'].map(n => root.getPropertyValue(n).trim())
                      : [getComputedStyle(paper || document.documentElement).backgroundColor],
      frame, drawing: drawing ? [...document.querySelectorAll('svg')].indexOf(drawing) : -1,
      turned: parent.hasAttribute && parent.hasAttribute('transform'),
      scrolls: !!parent.closest('.wide, pre'),
    });
  }
  return found;
})()
"""

# Texts that run over an edge of a box of the dataflow: neither inside nor outside of it.
CROSSINGS = """
[...document.querySelectorAll('svg.flow')].filter(e => e.checkVisibility()).flatMap(drawing => {
  const found = [];
  for (const box of drawing.querySelectorAll('rect.box, rect.core, rect.shell')) {
    const b = box.getBoundingClientRect();
    for (const text of drawing.querySelectorAll('text')) {
      const t = text.getBoundingClientRect();
      const apart = t.right <= b.left || b.right <= t.left || t.bottom <= b.top || b.bottom <= t.top;
      const inside = b.left <= t.left && t.right <= b.right && b.top <= t.top && t.bottom <= b.bottom;
      if (!apart && !inside) found.push(text.textContent);
    }
  }
  return found;
})
"""

PICTURES = """
[...document.querySelectorAll('svg')].filter(e => e.checkVisibility()).map(e => {
  const r = e.getBoundingClientRect(), n = e.querySelector('title');
  return { box: [r.left + scrollX, r.top + scrollY, r.width, r.height], name: n ? n.textContent : '',
           role: e.getAttribute('role'), marks: e.querySelectorAll('path, rect, circle, image').length,
           full: !e.closest('.gauge') };
})
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    wide = wide_network()
    found = {
        "made": write_page(whole_folder(root / "wide" / "ulx3s", wide)),
        "not-run": write_page(build_folder(root / "wide" / "pynq-z2", wide, "pynq-z2")),
        "small": write_page(whole_folder(root / "small" / "ulx3s", small_network())),
        "windows": write_page(whole_folder(root / "windows" / "ulx3s", window_network())),
    }
    return found | {"index": write_index(root)}


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    assert EXECUTABLE is not None
    with browser(EXECUTABLE) as found:
        yield found


def show(tab: Tab, pages: dict[str, Path], page: str, view: str) -> None:
    width, scheme = VIEWS[view]
    tab.open(pages[page], width, scheme)


def luminance(colour: str) -> float:
    if colour.startswith("#"):
        values = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    else:
        values = [int(float(part)) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in values
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("page", "view"),
    [
        *(("made", view) for view in VIEWS),
        ("not-run", "light"),
        ("not-run", "phone"),
        ("small", "light"),
        ("small", "phone-dark"),
        ("windows", "light"),
        ("windows", "phone-dark"),
        ("index", "light"),
        ("index", "phone-dark"),
    ],
)
def test_the_page_is_whole(tab: Tab, pages: dict[str, Path], page: str, view: str) -> None:
    """No complaint, no request, no sideways scrolling; every text in sight, legible and by itself."""
    show(tab, pages, page, view)
    tab.screenshot(SHOTS / f"{page}-{view}.png")
    assert tab.complaints() == []
    assert [url for url in tab.requests() if not url.startswith("data:")] == []
    width = VIEWS[view][0]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    texts = tab.evaluate(TEXTS)
    assert len(texts) > (30 if page == "index" else 400)
    for entry in texts:
        left, top, right, bottom = entry["box"]
        where = f"{entry['text']!r} at {entry['box']}"
        assert right > left and bottom > top, f"not drawn: {where}"
        assert entry["size"] >= 11, f"{entry['size']} px: {where}"
        assert left >= 0 and (entry["scrolls"] or right <= width + 0.5), f"cut off: {where}"
        for paper in entry["papers"]:
            assert contrast(entry["ink"], paper) >= 4.5, f"{entry['ink']} on {paper}: {where}"
        if entry["frame"]:
            inside = [left, top] >= entry["frame"][:2] and right <= entry["frame"][2] + 0.5
            assert inside and bottom <= entry["frame"][3] + 0.5, f"outside its drawing: {where}"
    assert overlaps(texts) == []
    assert tab.evaluate(CROSSINGS) == []
    if page != "index":
        drawn(tab, SHOTS / f"{page}-{view}.png", scale=2 if width < 600 else 1)


def overlaps(texts: list[dict]) -> list[str]:
    """Return pairs of texts of one drawing whose boxes share more than a sliver."""
    found = []
    for drawing in {entry["drawing"] for entry in texts} - {-1}:
        inside = [entry for entry in texts if entry["drawing"] == drawing]
        for one, other in itertools.combinations(inside, 2):
            a, b = one["box"], other["box"]
            wide = min(a[2], b[2]) - max(a[0], b[0])
            tall = min(a[3], b[3]) - max(a[1], b[1])
            if wide > 1 and tall > 3:
                found.append(f"{one['text']!r} and {other['text']!r} by {wide:.0f} x {tall:.0f}")
    return found


def drawn(tab: Tab, path: Path, scale: int) -> None:
    """Check that every picture has a name and that its part of the screenshot is not empty."""
    shot = Image.open(path).convert("RGB")
    found = tab.evaluate(PICTURES)
    assert sum(entry["full"] for entry in found) >= 8
    for entry in found:
        assert entry["role"] == "img" and entry["name"] and entry["marks"], entry
        left, top, wide, tall = (int(scale * value) for value in entry["box"])
        assert wide and tall, entry
        # A bar may be scrolled out of its box, and then it is not on the screenshot.
        if entry["full"]:
            cut = shot.crop((left, top, min(left + wide, shot.width), top + tall))
            colours = cut.getcolors(1 << 12)
            assert colours is None or len(colours) >= 8, entry


def test_the_map_shows_the_ones(tab: Tab, pages: dict[str, Path]) -> None:
    """The dots on the screen are the matrix: row sums of the rendered map follow those of w01."""
    show(tab, pages, "made", "light")
    tab.screenshot(SHOTS / "made-map.png")
    shot = np.asarray(Image.open(SHOTS / "made-map.png").convert("RGB")).astype(int)
    box = tab.evaluate(
        "(() => { const r = document.querySelectorAll('image')[1].getBoundingClientRect();"
        " return [r.left + scrollX, r.top + scrollY, r.width, r.height].map(Math.round); })()"
    )
    first = wide_network().layers[0]
    left, top, wide, tall = box
    assert (wide, tall) == (first.mw, 2 * first.mh)
    cut = shot[top : top + tall, left : left + wide]
    paper = shot[2, 2]
    dots = (np.abs(cut - paper).sum(2) > 60)[::2]
    assert np.array_equal(dots, first.w01)


def test_scripts_off_changes_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        show(tab, pages, "small", "light")
        tab.screenshot(SHOTS / "small-no-script.png")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    show(tab, pages, "small", "light")
    tab.screenshot(SHOTS / "small-script.png")
    assert (SHOTS / "small-no-script.png").read_bytes() == (SHOTS / "small-script.png").read_bytes()


def test_print(tab: Tab, pages: dict[str, Path]) -> None:
    """On paper nothing is wider than the sheet, in ink on white whatever the screen was."""
    tab.open(pages["made"], 718, "light", media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 718
    assert not tab.evaluate("document.querySelector('nav').checkVisibility()")
    cut = (
        "[...document.querySelectorAll('.wide')].filter(e => e.checkVisibility()"
        " && e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)"
    )
    assert tab.evaluate(cut) == []
    sheet = tab.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / "made.pdf").write_bytes(base64.b64decode(sheet["data"]))
