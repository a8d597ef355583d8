"""Options of the test run, the path of the benches, and the summary of a run."""

import json
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--build", help="a build folder whose core test_design simulates (make sim)")
    parser.addoption("--images", type=int, default=1000, help="images that make sim uses")
    parser.addoption("--summary", help="a JSON file to write what was compared and proven to")


def pytest_configure(config: pytest.Config) -> None:
    # Workers of xdist run the tests and hand their reports to the process that has no workerinput.
    if config.getoption("--summary") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Summary(Path(config.getoption("--summary"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what compiles for a minute or two: at the end one worker would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    import summary

    summary.take_counts()  # of a fixture, or of a test that was stopped
    try:
        return (yield)
    finally:
        item.user_properties += summary.take_counts()


class Summary:
    """Collects the tests' reports and writes the summary of a run."""

    def __init__(self, path: Path):
        self.path, self.tests, self.began = path, {}, time.time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self.tests.setdefault(
            report.nodeid,
            {"name": report.nodeid, "outcome": "passed", "seconds": 0.0, "properties": []},
        )
        test["seconds"] += report.duration
        if report.outcome != "passed":
            test["outcome"] = report.outcome
        if report.when == "call":
            test["properties"] = report.user_properties

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        import summary

        run = summary.summarise(self.tests.values(), time.time() - self.began)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(run, indent=1) + "\n")
        terminalreporter.section(f"summary, also in {self.path}")
        terminalreporter.write_line(summary.block(run))
