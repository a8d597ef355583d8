"""What was verified, with how many vectors, by which tool, on which digests."""

from dataclasses import dataclass

from sbnn.boards.page.facts import Facts
from sbnn.boards.page.markup import Node, element, table
from sbnn.boards.page.reports import Check, Export, Lowering, NotRun, Proof, Route, Synthesis
from sbnn.hls.proof import REPORT

HEAD = ("check", "result", "vectors")


@dataclass(frozen=True)
class Evidence:
    """One comparison: what with what, how it came out, on how many vectors, by what, said where."""

    name: str
    result: str
    good: bool | None
    vectors: int | None
    notes: tuple[str, ...]


def evidence(facts: Facts) -> tuple[Evidence, ...]:
    """Return every comparison of this build, from torch to the bitstream."""
    return (
        _export(facts.export),
        *_lowering(facts.lowering),
        _proof(facts.proof),
        *_checks(facts.checks),
        _timing(facts.route),
    )


def verified_table(facts: Facts) -> Node:
    """Return a table of the evidence; what has no report is `not run`."""
    classes = {True: "good", False: "bad", None: "not-run"}
    rows = [
        (
            _name(found),
            element("span", found.result, class_=classes[found.good]),
            "" if found.vectors is None else f"{found.vectors:,}",
        )
        for found in evidence(facts)
    ]
    return table(HEAD, rows, "From torch to the bitstream, each step against the one before it")


def _name(found: Evidence) -> Node:
    return element("span", found.name, element("span", "; ".join(found.notes), class_="note"))


def tools(facts: Facts) -> list[tuple[str, str]]:
    """Return (what, tool and version) of everything that made this build."""
    found = [("generator", facts.manifest.generator)]
    if isinstance(facts.synthesis, Synthesis):
        found.append(("synthesis report", facts.synthesis.tool))
    if isinstance(facts.route, Route):
        found += [(facts.route.backend, f"{tool} {v}") for tool, v in facts.route.tools.items()]
    return found


def digests(facts: Facts) -> list[tuple[str, str]]:
    """Return (what, digest) of what this build is."""
    found = [
        ("build id", facts.manifest.build_id),
        ("network", facts.manifest.network_digest),
        ("Verilog", facts.manifest.rtl_digest),
    ]
    if isinstance(facts.export, Export):
        found += [
            ("QONNX", facts.export.qonnx_digest),
            ("trained file", facts.export.trained_digest),
        ]
    return found


def _export(export: Export | NotRun) -> Evidence:
    name = "QONNX = torch"
    if isinstance(export, NotRun):
        return _not_run(name, export)
    exact = export.max_score_difference == 0
    return Evidence(
        name,
        "equal" if exact else f"within {export.max_score_difference:g}",
        exact,
        export.images,
        (
            f"{export.hidden_bits:,} hidden bits and all scores",
            f"images: {export.images_from}",
            "export.json",
        ),
    )


def _lowering(lowering: Lowering | NotRun) -> tuple[Evidence, ...]:
    names = ("integer network = QONNX", "integer thresholds = BatchNorm")
    if isinstance(lowering, NotRun):
        return tuple(_not_run(name, lowering) for name in names)
    ties = f"; {lowering.ties} ties parted by float32" if lowering.ties else ""
    proof = (
        f"every reachable sum of {lowering.neurons:,} neurons ({lowering.constant:,} constant), "
        "in exact arithmetic"
    )
    return (
        Evidence(
            names[0],
            "equal",
            True,
            lowering.images,
            (f"classes and scores{ties}", f"images: {lowering.images_from}", "lower.json"),
        ),
        Evidence(names[1], "proved", True, lowering.sums, (proof, "lower.json")),
    )


def _proof(proof: Proof | NotRun) -> Evidence:
    name = "Verilog of each layer and their wiring = integer network, for all inputs"
    if isinstance(proof, NotRun):
        return _not_run(name, proof)
    whole = proof.proven == proof.read
    return Evidence(
        name,
        "proved" if whole else f"proved for {proof.proven:,} of {proof.read:,}",
        True if whole else None,
        None,
        (
            f"{proof.proven:,} neurons and scores of up to {proof.widest:,} ones",
            f"{proof.modules} modules wired in order",
            proof.tool,
            REPORT,
        ),
    )


def _checks(checks: tuple[Check, ...] | NotRun) -> tuple[Evidence, ...]:
    if isinstance(checks, NotRun):
        return (_not_run("Verilog = integer network", checks),)
    return tuple(
        Evidence(
            check.name,
            check.result,
            check.result == "equal",
            check.vectors,
            (
                check.what,
                f"SHA-256 {check.vectors_digest[:12]}",
                f"{check.tool}, {check.seconds:,.1f} s",
                "report/verification.json",
            ),
        )
        for check in checks
    )


def _timing(route: Route | NotRun) -> Evidence:
    name = "timing after routing"
    if isinstance(route, NotRun):
        return _not_run(name, route)
    met = all(clock.met for clock in route.clocks.values())
    clocks = ", ".join(
        f"{name} {clock.achieved_mhz:.2f} MHz of {clock.needed_mhz:.2f}"
        for name, clock in sorted(route.clocks.items())
    )
    result = "met" if met else "missed"
    return Evidence(name, result, met, None, (clocks, route.backend, "report/route.json"))


def _not_run(name: str, missing: NotRun) -> Evidence:
    return Evidence(name, "not run", None, None, (missing.why,))
