"""What the design takes of the board: estimate, synthesis, routed, against the budget; per stage."""

from collections.abc import Iterator

from sbnn.boards.backends import vivado
from sbnn.boards.backends.fit import ESTIMATE_ERROR
from sbnn.boards.page.facts import Facts
from sbnn.boards.page.markup import Node, element, number, table
from sbnn.boards.page.reports import Cells, NotRun, Route, Synthesis

KINDS = {"lut": "LUT", "ff": "Flip-flops", "bram": "Block RAM", "dsp": "Multipliers"}
BAR = 100


def counts(facts: Facts, kind: str) -> Iterator[tuple[str, int | None]]:
    """Give (source, count) of one kind of resource, None where that step was not run."""
    synthesis, route = facts.synthesis, facts.route
    with_shell = route.synthesis if isinstance(route, Route) else {}
    if kind == "lut":
        yield "estimate, core", sum(facts.estimate.values())
    if kind != "dsp":
        yield (
            "synthesis, core",
            getattr(synthesis.total, kind) if isinstance(synthesis, Synthesis) else None,
        )
        # Vivado synthesises and routes in one; its report repeats yosys's counts of the core.
        if not (isinstance(route, Route) and route.backend == vivado.NAME):
            yield "synthesis, core and shell", with_shell.get(kind)
    yield "routed", route.routed.get(kind) if isinstance(route, Route) else None


def budget_table(facts: Facts) -> Node:
    """Return a table with a bar for every count against the board's budget."""
    bodies = []
    for kind, name in KINDS.items():
        budget = getattr(facts.board.budget, kind)
        if kind == "dsp" and not any(count for _, count in counts(facts, kind)):
            continue
        head = element("th", f"{name}, budget {budget:,}", colspan=4, scope="rowgroup")
        rows = [element("tr", head, class_="group")]
        for source, count in counts(facts, kind):
            cells = [element("th", source, scope="row")]
            if count is None:
                cells.append(element("td", "not run", class_="number"))
                cells += [element("td", ""), element("td", "")]
            else:
                cells.append(element("td", f"{count:,}", class_="number"))
                cells.append(element("td", _percent(count, budget), class_="number"))
                cells.append(element("td", _bar(count, budget, source), class_="bar"))
            rows.append(element("tr", *cells))
        bodies.append(element("tbody", *rows))
    title = f"Use of {facts.board.part} ({facts.board.title})"
    head = element(
        "tr",
        element("th", "step", scope="col"),
        *(element("th", name, scope="col", class_="number") for name in ("count", "share")),
        element("th", "of the budget", scope="col"),
    )
    return element(
        "table", element("caption", title), element("thead", head), *bodies, class_="budget"
    )


def stage_table(facts: Facts) -> Node:
    """Return a table of what each stage of the core takes."""
    found, estimate, layers = facts.synthesis, facts.estimate, facts.manifest.layers
    pools = {layer.name for layer in facts.network.layers if layer.pool}
    parts = [
        (layer.name, 0 if layer.name in pools else layer.ones, estimate[layer.name])
        for layer in layers
    ]
    parts.append(("streams", 0, estimate["streams"]))
    parts.append(("core", facts.network.ones, sum(estimate.values())))
    cells: list[Cells | None]
    if isinstance(found, Synthesis):
        lut, source, total = f"LUT{found.lut_inputs}", found.tool, found.total.lut
        cells = [*(found.layers[layer.name] for layer in layers), found.streams, found.total]
    else:
        lut, source, total = "LUT", f"synthesis not run: {found.why}", sum(estimate.values())
        cells = [None for _ in parts]
    rows = [_stage(*part, counted, total) for part, counted in zip(parts, cells, strict=True)]
    head = ("stage", "ones", "LUT estimate", lut, "per one", "FF", "BRAM", "share")
    return table(head, rows, f"The core by stage ({source})")


def _stage(
    name: str, ones: int, estimate: int, cells: Cells | None, total: int
) -> tuple[Node | str, ...]:
    first = (name, f"{ones:,}" if ones else "", f"{estimate:,}")
    if cells is None:
        return (*first, "not run", "", "", "", _bar(estimate, max(total, 1), "estimate"))
    per_one = f"{cells.lut / ones:.2f}" if ones else ""
    share = _bar(cells.lut, max(total, 1), "synthesis")
    return (*first, f"{cells.lut:,}", per_one, f"{cells.ff:,}", f"{cells.bram:,}", share)


def over_budget(facts: Facts) -> tuple[str, int, int, str] | None:
    """Return (source, count, budget, name) of the first count beyond the board, else None.

    An estimate counts only where there is nothing better, and beyond its own error.
    """
    if isinstance(facts.synthesis, NotRun):
        estimate, budget = sum(facts.estimate.values()), facts.board.budget.lut
        over = estimate > (1 + ESTIMATE_ERROR) * budget
        return ("estimate, core", estimate, budget, KINDS["lut"]) if over else None
    for kind, name in KINDS.items():
        budget = getattr(facts.board.budget, kind)
        for source, count in counts(facts, kind):
            if count is not None and count > budget and source != "estimate, core":
                return source, count, budget, name
    return None


def _percent(count: int, budget: int) -> str:
    if not budget:
        return "no budget"
    return f"{100 * count / budget:.1f} %"


def _bar(count: int, budget: int, source: str) -> Node:
    share = count / budget if budget else float(count > 0)
    kind = source.split(",")[0]
    class_ = f"fill {kind}" + (" over" if share > 1 else "")
    width = number(BAR * min(share, 1))
    return element(
        "svg",
        element("title", f"{source}: {count:,} of {budget:,}"),
        element("rect", x=0, y=0, width=BAR, height=10, class_="track"),
        element("rect", x=0, y=0, width=width, height=10, class_=class_),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {BAR} 10",
        preserveAspectRatio="none",
        role="img",
        class_="gauge",
    )
