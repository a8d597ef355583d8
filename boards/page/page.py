"""The page: headline, then one section each for dataflow, timing, resources, layers and evidence."""

from collections.abc import Iterable
from importlib.resources import files as package_files

from sbnn.boards.page.budget import budget_table, counts, stage_table
from sbnn.boards.page.dataflow import dataflow
from sbnn.boards.page.facts import Facts
from sbnn.boards.page.kernels import are_visible, kernel_tiles
from sbnn.boards.page.markup import Node, document, element, extend, figure, path_text, table
from sbnn.boards.page.neurons import counts_bits, figures, histogram, thresholds
from sbnn.boards.page.reports import Accuracy, NotRun, Route, Synthesis
from sbnn.boards.page.sparsity import receptive_image, sparsity_map
from sbnn.boards.page.state import State
from sbnn.boards.page.timing import clock_table, diagram, latency_lines, rates, stage_times
from sbnn.boards.page.use import file_table, use
from sbnn.boards.page.verified import digests, tools, verified_table
from sbnn.hls.network import SparseLayer

# Of a build folder.
PAGE = "report/index.html"
# A map of fewer rows is so low that the list of figures would stand alone beside it.
LOW = 30
CONTENTS = {
    "dataflow": "Dataflow",
    "timing": "Timing",
    "resources": "Resources",
    "layers": "Layers",
    "verified": "Verification",
    "use": "Use",
    "files": "Files",
}


def render(facts: Facts, state: State) -> str:
    """Return the text of the page; equal facts give equal text."""
    main = element(
        "main",
        _section("dataflow", _dataflow(facts)),
        _section("timing", _timing(facts)),
        _section("resources", _resources(facts)),
        _section("layers", _layers(facts)),
        _section("verified", _verified(facts)),
        _section("use", use(facts)),
        _section("files", [file_table(facts.files)]),
    )
    foot = element("footer", f"Written by {facts.manifest.generator} from the build's own reports.")
    title = f"{facts.manifest.model} on {facts.board.title}"
    return page(title, _header(facts, state), main, foot)


def page(title: str, *parts: Node) -> str:
    """Return a whole document with the project's style inside."""
    style = (package_files("sbnn.boards.page") / "page.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # An empty icon, or the browser asks the server of a served page for one.
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", style),
    )
    return document(head, element("body", *parts))


def badge(state: State) -> Node:
    """Return the word for a state."""
    return element("span", state.name, class_=f"badge {state.name.replace(' ', '-')}")


def percent(accuracy: Accuracy | NotRun) -> str:
    """Return an accuracy as text."""
    return f"{100 * accuracy.test:.2f} %" if isinstance(accuracy, Accuracy) else "unknown"


def _header(facts: Facts, state: State) -> Node:
    network, manifest, board = facts.network, facts.manifest, facts.board
    widths = "-".join([_image(facts), *("pool" if x.pool else str(x.mh) for x in network.layers)])
    # xi = -1/2 makes 0 a -1: such a network has no zeros to speak of.
    weighted = [layer for layer in network.layers if not layer.pool]
    dense = all((2 * layer.xi_num == -(1 << layer.xi_frac)).all() for layer in weighted)
    zeros = 100 * (1 - network.ones / network.weights)
    share = "dense, -1 and +1" if dense else f"{zeros:.1f} % zeros"
    line = (
        f"{widths}, {network.ones:,} ones of {network.weights:,} weights ({share}), "
        f"for {board.vendor} {board.part}"
    )
    contents = element(
        "nav",
        *(element("a", name, href=f"#{key}") for key, name in CONTENTS.items()),
        aria_label="Sections",
    )
    cells = [
        element(
            "div",
            element("dt", name),
            element(
                "dd",
                element("span", value, class_="figure" if value[0].isdigit() else "figure word"),
                element("span", path_text(note), class_="note"),
            ),
        )
        for name, value, note in _key_figures(facts)
    ]
    return element(
        "header",
        element("p", "sbnn build", class_="kicker"),
        element("h1", manifest.model, element("span", f" on {board.title}", class_="on")),
        element("p", line, class_="lead"),
        element("p", badge(state), element("span", state.why), class_="state"),
        element("dl", *cells, class_="key"),
        contents,
    )


def _key_figures(facts: Facts) -> Iterable[tuple[str, str, str]]:
    manifest, board, accuracy = facts.manifest, facts.board, facts.accuracy
    if isinstance(accuracy, Accuracy):
        note = f"{accuracy.dataset} test set; {accuracy.source}"
    else:
        note = accuracy.why
    yield "Accuracy", percent(accuracy), note
    source, lut = [(name, n) for name, n in counts(facts, "lut") if n is not None][-1]
    yield (
        "LUT",
        f"{lut:,}",
        f"{100 * lut / board.budget.lut:.1f} % of {board.budget.lut:,}; {source}",
    )
    if isinstance(facts.route, Route):
        slowest = min(facts.route.clocks.values(), key=lambda clock: clock.achieved_mhz)
        needed = f"reached after routing; needs {slowest.needed_mhz:g} MHz"
        yield "Clock", f"{slowest.achieved_mhz:.1f} MHz", needed
    else:
        yield "Clock", "not run", f"needs {board.clock.mhz:g} MHz; place and route has not run"
    microseconds = manifest.latency_cycles / board.clock.mhz
    cycles = f"{manifest.latency_cycles} cycles at {board.clock.mhz:g} MHz"
    yield "Latency", f"{microseconds:.2f} µs", cycles
    for (_, rate, note), name in zip(
        (rates(facts)[0], rates(facts)[-1]), ("Images/s, core", "Images/s, link"), strict=True
    ):
        yield name, rate, note


def _section(key: str, content: Iterable[Node]) -> Node:
    heading = element("h2", CONTENTS[key])
    return extend(element("section", heading, id=key, aria_label=CONTENTS[key]), content)


def _dataflow(facts: Facts) -> list[Node]:
    wide, narrow = dataflow(facts)
    caption = (
        "Every stage with its ones, look-up tables (LUT), flip-flops (FF), latency and interval (II) in "
        "cycles, and its share of the core's LUTs as a bar. "
    )
    interval = f"the interval of {facts.manifest.ii_cycles} cycles."
    if facts.takes_pixels:
        caption += (
            "A layer with a window sees one vector per cycle, its results wait in a queue for the next; "
            "its interval is its padded map's positions. The slowest stage, or the filling and emptying "
            f"of queues around it, sets {interval}"
        )
    else:
        caption += f"Layers take one image per cycle; the wider of the two streams sets {interval}"
    if not isinstance(facts.synthesis, Synthesis):
        caption += " Synthesis was not run: LUTs (~) are estimates."
    wide_box = element("div", wide, class_="wide only-wide", tabindex="0", role="group")
    wide_box.set("aria-label", "Dataflow")
    narrow_box = element("div", narrow, class_="only-narrow")
    return [element("figure", wide_box, narrow_box, element("figcaption", caption))]


def _timing(facts: Facts) -> list[Node]:
    caption = "Three images through the core, in cycles, with nothing waiting."
    if facts.takes_pixels:
        caption += " A stage begins with an image's first vector and ends with its last result."
    return [
        figure(diagram(facts), caption),
        element(
            "div",
            clock_table(facts.route),
            table(
                ("at", "latency", "interval"),
                latency_lines(facts),
                "From the first input beat to the first result beat",
            ),
            class_="columns",
        ),
        element(
            "div",
            table(("images per second", "rate", "from"), rates(facts), "Throughput"),
            stage_times(facts.route),
            class_="columns",
        ),
    ]


def _resources(facts: Facts) -> list[Node]:
    return [budget_table(facts), stage_table(facts)]


def _layers(facts: Facts) -> Iterable[Node]:
    for index, layer in enumerate(facts.network.layers):
        yield element("h3", layer.name, id=f"layer-{layer.name}")
        found = (
            element("div", element("dt", name), element("dd", value))
            for name, value in figures(facts, index)
        )
        facts_list = element("dl", *found, class_="facts")
        if layer.pool:
            yield element("div", facts_list, class_="layer pool")
            continue
        plots = [figure(histogram(layer), "Ones per neuron.")]
        dots = thresholds(layer)
        if dots is not None:
            guided = counts_bits(layer)
            guide = "; on the dashed line a neuron needs all its ones" * guided
            plots.append(
                figure(
                    dots, f"Threshold against ones; a dot grows with its number of neurons{guide}."
                )
            )
        if index == 0 and layer.window is None:
            picture = receptive_image(layer, facts.network.encoding.map)
            plots.append(figure(picture, "Ones per pixel, all neurons together."))
        if layer.offset is not None:
            plots.append(_classes(layer))
        yield element(
            "div",
            facts_list,
            element("div", *plots, class_="plots"),
            figure(*_map(layer)),
            class_="layer conv" if layer.window else "layer low" if layer.mh < LOW else "layer",
        )


def _classes(layer: SparseLayer) -> Node:
    offsets = [] if layer.offset is None else layer.offset.tolist()
    scaled = f"{1 << layer.xi_frac} P" if layer.xi_frac else "P"
    formula = f"2 ({scaled} + k S)" if layer.xi_num.any() else f"2 {scaled}"
    rows = [
        (f"class {j}", f"{int(layer.w01[j].sum()):,}", f"{offset:,}")
        for j, offset in enumerate(offsets)
    ]
    return table(
        ("score", "ones", "offset"),
        rows,
        f"score = {formula} + offset",
    )


def _image(facts: Facts) -> str:
    """Return the input's width: its bits, or the sizes of a map of pixels."""
    shape = facts.manifest.shape
    return " x ".join(map(str, shape)) if facts.takes_pixels else f"{facts.manifest.bits}"


def _map(layer: SparseLayer) -> tuple[Node, str]:
    """Return the picture of a layer's ones and its caption."""
    window = layer.window
    if window is not None and are_visible(layer, window):
        picture = kernel_tiles(layer, window)
        caption = "Every tile is a kernel, every dot in it a one"
        if layer.rails == 2:
            caption += "; behind the input channels their complements"
        return picture, caption + _inverted(layer, "output channels")
    caption = "Every dot is a one: a row per neuron, a column per input; above, ones per input"
    if layer.rails == 2:
        caption += "; left of the line the inputs, right of it their complements"
    return sparsity_map(layer), caption + _inverted(layer, "neurons")


def _inverted(layer: SparseLayer, name: str) -> str:
    inverted = layer.invert is not None and layer.invert.any()
    return f"; orange: inverted {name}." if inverted else "."


def _verified(facts: Facts) -> list[Node]:
    return [
        verified_table(facts),
        element(
            "div",
            table(("what", "digest"), _codes(digests(facts)), "What this build is"),
            table(("step", "tool"), tools(facts), "What made it"),
            class_="columns made",
        ),
    ]


def _codes(pairs: Iterable[tuple[str, str]]) -> list[tuple[Node | str, ...]]:
    return [(name, element("code", value, class_="digest")) for name, value in pairs]
