"""Timing: what each clock reached, where the cycles of an image go, images per second."""

from sbnn.boards.backends import openxc7
from sbnn.boards.page.facts import Facts
from sbnn.boards.page.markup import Node, element, number, svg, table
from sbnn.boards.page.reports import NotRun, Route
from sbnn.boards.page.sparsity import ticks
from sbnn.boards.protocol import images_per_second

LEFT, ROW, TOP = 84, 22, 30
WIDTH = 1132
IMAGES = 3
SHADES = ("teal", "amber", "grey")


def diagram(facts: Facts) -> Node:
    """Return a drawing of which stage works on which of three images, cycle by cycle."""
    manifest = facts.manifest
    spans = facts.spans
    ends = manifest.latency_cycles + manifest.out_beats
    cycles = ends + (IMAGES - 1) * manifest.ii_cycles
    step = min(36.0, (WIDTH - LEFT - 20) / cycles)
    if not facts.takes_pixels:  # whose stages are of few cycles, and must not become invisible
        step = max(2.0, step)
    height = TOP + ROW * len(spans)
    nodes = []
    for cycle in ticks(cycles + 1, 16):
        x = number(LEFT + cycle * step)
        nodes.append(element("path", d=f"M{x} {TOP - 6}V{height}", class_="grid"))
        nodes.append(element("text", f"{cycle:,}", x=x, y=TOP - 12, class_="tick middle"))
    for row, (name, start, length) in enumerate(spans):
        y = TOP + row * ROW
        nodes.append(element("text", name, x=LEFT - 10, y=y + 15, class_="tick end"))
        line = f"M{LEFT} {y + ROW}H{number(LEFT + cycles * step)}"
        nodes.append(element("path", d=line, class_="grid"))
        # Images that are in a stage together, one cycle after the other, are drawn below each other.
        lanes = IMAGES if length > manifest.ii_cycles else 1
        thick = (ROW - 6) / lanes
        for image in range(IMAGES):
            first = start + image * manifest.ii_cycles
            hint = element(
                "title",
                f"image {image + 1}: {name}, cycles {first} to {first + max(length, 1) - 1}",
            )
            nodes.append(
                element(
                    "rect",
                    hint,
                    x=number(LEFT + first * step),
                    y=number(y + 3 + thick * (image % lanes)),
                    width=number(max(length * step - 0.6, 0.8)),
                    height=number(thick - 1 * (lanes > 1)),
                    class_=SHADES[image],
                )
            )
    mark = LEFT + manifest.latency_cycles * step
    nodes.append(element("path", d=f"M{number(mark)} {TOP - 6}V{height + 4}", class_="mark"))
    text = f"first result beat after {manifest.latency_cycles} cycles"
    nodes.append(element("text", text, x=number(mark + 4), y=height + 16, class_="tick"))
    label = (
        f"Cycle by cycle: three images, one every {manifest.ii_cycles} cycles, "
        f"latency {manifest.latency_cycles} cycles"
    )
    width = max(LEFT + cycles * step + 20, mark + 190)
    return svg(width, height + 24, *nodes, label=label, class_="plot")


def rates(facts: Facts) -> list[tuple[str, str, str]]:
    """Return (what, images per second, where it comes from)."""
    manifest, board, route = facts.manifest, facts.board, facts.route
    mhz = board.clock.mhz
    core = int(mhz * 1e6 / manifest.ii_cycles)
    found = [
        (
            f"core at {mhz:g} MHz",
            f"{core:,}",
            f"{mhz:g} MHz, the board's clock, over {manifest.ii_cycles} cycles an image",
        )
    ]
    if isinstance(route, Route) and "core_at_fmax" in route.rates:
        slowest = min(clock.achieved_mhz for clock in route.clocks.values())
        found.append(
            (
                f"core at {slowest:g} MHz",
                f"{route.rates['core_at_fmax']:,}",
                "the clock that routing reached",
            )
        )
    else:
        found.append(("core at its highest clock", "not run", "needs place and route"))
    if board.uart is not None and board.shell == "uart":
        bound = int(images_per_second(board.uart.baud, manifest))
        found.append(
            (
                "through the serial line",
                f"{bound:,}",
                f"bound of {board.uart.baud:,} baud with full frames, computed",
            )
        )
    else:
        found.append(
            ("through the link", "not measured", "needs the board; the notebooks measure it")
        )
    return found


def latency_lines(facts: Facts) -> list[tuple[str, str, str]]:
    """Return (at which clock, latency, interval between images), times in microseconds."""
    manifest = facts.manifest
    clocks = [(f"{facts.board.clock.mhz:g} MHz (board)", facts.board.clock.mhz)]
    if isinstance(facts.route, Route):
        clocks += [
            (f"{clock.achieved_mhz:g} MHz ({name}, routed)", clock.achieved_mhz)
            for name, clock in sorted(facts.route.clocks.items())
        ]
    return [
        (
            name,
            f"{manifest.latency_cycles / mhz:.3f} µs",
            f"{manifest.ii_cycles / mhz:.3f} µs",
        )
        for name, mhz in clocks
        if mhz > 0
    ]


def clock_table(route: Route | NotRun) -> Node:
    """Return a table of the clocks, or a line that says why there is none."""
    if isinstance(route, NotRun):
        return not_run("Clocks", route)
    rows = [
        (
            name,
            f"{clock.achieved_mhz:.2f}",
            f"{clock.needed_mhz:.2f}",
            f"{clock.achieved_mhz - clock.needed_mhz:+.2f}",
            "met" if clock.met else "missed",
        )
        for name, clock in sorted(route.clocks.items())
    ]
    head = ("clock", "reached, MHz", "needed, MHz", "margin, MHz", "result")
    caption = f"Clocks after routing with {route.backend}, seed {route.seed}"
    if route.backend == openxc7.NAME:
        caption += (
            "; its timing model knows LUTs, flip-flops and carry chains only and is optimistic, "
            f"so {openxc7.MARGIN:g} times the board's clock is asked for"
        )
    return table(head, rows, caption)


def stage_times(route: Route | NotRun) -> Node:
    """Return a table of how long the tools took in their last real run."""
    if isinstance(route, NotRun):
        return not_run("Tool times", route)
    if not route.seconds:
        return element("p", "Tool times were not recorded: the bitstream was made elsewhere.")
    rows = [(name, f"{seconds:,.1f}") for name, seconds in route.seconds.items()]
    rows.append(("together", f"{sum(route.seconds.values()):,.1f}"))
    return table(("stage", "seconds"), rows, "How long the tools took, last real run of each")


def not_run(what: str, missing: NotRun) -> Node:
    """Return a line that says plainly that something was not run, and why."""
    return element(
        "p", element("strong", f"{what}: not run"), f" ({missing.why}).", class_="not-run"
    )
