"""build/index.html: every build below a folder with its main figures, each linked to its page."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sbnn.boards.page.budget import counts
from sbnn.boards.page.facts import Facts, read_facts
from sbnn.boards.page.markup import Node, element, table
from sbnn.boards.page.page import PAGE, badge, page, percent
from sbnn.boards.page.reports import Route
from sbnn.boards.page.state import judge
from sbnn.train.errors import UserError
from sbnn.train.files import write_atomic

HEAD = (
    "build",
    "state",
    "accuracy",
    "ones",
    "LUT",
    "of the board",
    "LUT by",
    "Fmax, MHz",
    "images/s, core",
)


@dataclass(frozen=True, eq=False)
class Build:
    """A build folder; `facts` is None where `problem` says why it cannot be read."""

    name: str
    has_page: bool
    facts: Facts | None
    problem: str


def write_index(folder: Path) -> Path:
    """Write index.html of all builds in `folder` and return its path; equal builds, equal bytes.

    A build that cannot be read is listed with the reason.

    Args:
        folder: usually build/, with <model>/<board>/manifest.json.
    """
    builds = [_read(path.parent, folder) for path in _manifests(folder)]
    readable = sum(build.facts is not None for build in builds)
    title = f"sbnn builds: {len(builds)}"
    rows = [_row(build) for build in builds]
    lead = "From the builds' own reports; core and shell where a build was routed, else the core."
    if not builds:
        lead = "There is no build here yet: make bitstream makes one."
    elif readable < len(builds):
        lead += f" {len(builds) - readable} cannot be read."
    header = element("header", element("h1", "sbnn builds"), element("p", lead, class_="lead"))
    main = element("main", element("section", table(HEAD, rows, "A row per model and board")))
    path = folder / "index.html"
    write_atomic(path, page(title, header, main))
    return path


def _manifests(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*/manifest.json") if path.is_file())


def _read(folder: Path, root: Path) -> Build:
    name = folder.relative_to(root).as_posix()
    has_page = (folder / PAGE).is_file()
    try:
        return Build(name, has_page, read_facts(folder), "")
    except UserError as error:
        # Relative, so that the page says the same wherever the folder is.
        return Build(name, has_page, None, str(error).replace(f"{root}/", ""))


def _row(build: Build) -> tuple[Node | str, ...]:
    model, board = build.name.split("/")
    label = f"{model} on {board}"
    first: Node | str = label
    if build.has_page:
        first = element("a", label, href=quote(f"{build.name}/{PAGE}"))
    if build.facts is None:
        return (first, element("span", build.problem, class_="not-run"), *[""] * (len(HEAD) - 2))
    facts = build.facts
    manifest, budget = facts.manifest, facts.board.budget
    source, lut = [(name, n) for name, n in counts(facts, "lut") if n is not None][-1]
    route = facts.route
    if isinstance(route, Route):
        fmax = f"{min(clock.achieved_mhz for clock in route.clocks.values()):.2f}"
    else:
        fmax = "not run"
    return (
        first,
        badge(judge(facts)),
        percent(facts.accuracy),
        f"{facts.network.ones:,}",
        f"{lut:,}",
        f"{100 * lut / budget.lut:.1f} %",
        source.split(",")[0],
        fmax,
        f"{int(facts.board.clock.mhz * 1e6 / manifest.ii_cycles):,}",
    )
