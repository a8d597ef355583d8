"""A headless Chromium, driven over its DevTools protocol: how a page really looks and behaves."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-extensions --disable-dev-shm-usage --hide-scrollbars "
    "--remote-debugging-port=0 --force-color-profile=srgb"
)
START_SECONDS = 60
ANSWER_SECONDS = 60


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Tab:
    """One page of the browser; `events` holds all that it reported since it was opened."""

    socket: WebSocketClientConnection
    loop: asyncio.AbstractEventLoop
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.calls += 1
        message = json.dumps({"id": self.calls, "method": method, "params": parameters})
        self.loop.run_until_complete(self._send(message))
        while (answer := self._next()).get("id") != self.calls:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def wait(self, event: str) -> None:
        """Wait until an event of this name has come since the last `call`."""
        while (message := self._next()).get("method") != event:
            self.events.append(message)

    def open(self, path: Path, width: int, scheme: str, media: str = "screen") -> None:
        """Show a file at a width in CSS pixels, light or dark; widths below 600 are a phone's."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844 if phone else 900,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme_feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme_feature])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(entry.get("method") == "Page.loadEventFired" for entry in self.events):
            self.events.append(self._next())

    def evaluate(self, script: str) -> Any:
        """Return the JSON value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page, not only what is in view, as a PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def requests(self) -> list[str]:
        """Return the addresses of all that the page has asked for, its own not included."""
        sent = [
            entry["params"]["request"]["url"]
            for entry in self.events
            if entry.get("method") == "Network.requestWillBeSent"
        ]
        return sent[1:]

    def complaints(self) -> list[str]:
        """Return errors and warnings that the page has put on the console or in the log."""
        return [
            json.dumps(entry["params"])
            for entry in self.events
            if entry.get("method")
            in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        ]

    async def _send(self, message: str) -> None:
        await self.socket.write_message(message)

    def _next(self) -> dict[str, Any]:
        reading = asyncio.wait_for(_read(self.socket), ANSWER_SECONDS)
        text = self.loop.run_until_complete(reading)
        assert isinstance(text, str), "the browser has gone"
        return json.loads(text)


@contextlib.contextmanager
def browser(executable: str) -> Iterator[Tab]:
    """Start the browser with an empty profile and give its one tab."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        argv = [executable, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        loop = asyncio.new_event_loop()
        try:
            address = _tab_address(Path(profile) / "DevToolsActivePort", process)
            socket = loop.run_until_complete(
                _connect(address),
            )
            tab = Tab(socket, loop)
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
            socket.close()
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            loop.close()


def _tab_address(port_file: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return the websocket address of the first tab, as soon as the browser says its port."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        if port_file.is_file() and (lines := port_file.read_text().splitlines()):
            with urllib.request.urlopen(
                f"http://127.0.0.1:{lines[0]}/json/list", timeout=10
            ) as answer:
                pages = [entry for entry in json.load(answer) if entry["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise TimeoutError(f"the browser opened no port in {START_SECONDS} s")


async def _connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address, max_message_size=1 << 28)


async def _read(socket: WebSocketClientConnection) -> str | bytes | None:
    return await socket.read_message()
