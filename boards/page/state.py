"""What became of a build, in one word and one sentence."""

from dataclasses import dataclass

from sbnn.boards.page.budget import over_budget
from sbnn.boards.page.facts import Facts
from sbnn.boards.page.reports import Check, NotRun

MADE, REFUSED, NOT_RUN, NONE = "bitstream made", "refused", "not run", "no bitstream"


@dataclass(frozen=True)
class State:
    """`name` is one of `MADE`, `REFUSED`, `NOT_RUN`, `NONE`; `why` is a sentence."""

    name: str
    why: str


def judge(facts: Facts, refusal: str | None = None) -> State:
    """Return the state of a build from its reports.

    Args:
        facts: the build.
        refusal: the sentence that the flow has just stopped with, which no report may hold.
    """
    state = _judge(facts)
    if refusal is None:
        return state
    # A flow also stops for want of a tool; only the figures can tell that the design is at fault.
    return State(REFUSED if state.name == REFUSED else NONE, refusal)


def _judge(facts: Facts) -> State:
    over = over_budget(facts)
    if over is not None:
        source, count, budget, name = over
        return State(REFUSED, f"It does not fit: {name} {count:,} of {budget:,} ({source}).")
    for check in facts.checks if not isinstance(facts.checks, NotRun) else ():
        if check.result != "equal":
            return State(REFUSED, _difference(check))
    if isinstance(facts.route, NotRun):
        ways = ", ".join(facts.board.flows)
        return State(
            NOT_RUN,
            f"Place and route has not run for this core ({facts.route.why}); "
            f"ways to a bitstream of {facts.board.name}: {ways}.",
        )
    for name, clock in sorted(facts.route.clocks.items()):
        if not clock.met:
            return State(
                REFUSED,
                f"It misses its timing: {name} reaches {clock.achieved_mhz:.2f} MHz, "
                f"needs {clock.needed_mhz:.2f} MHz.",
            )
    if facts.bitfile is None:
        return State(
            NOT_RUN, f"It is routed, but bitfile/ holds no bitstream of {facts.manifest.model}."
        )
    return State(MADE, f"{facts.bitfile} was made by the {facts.route.backend} backend.")


def _difference(check: Check) -> str:
    return f"{check.name}: {check.result}, with {check.vectors:,} vectors by {check.tool}."
