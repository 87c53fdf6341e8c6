"""The page of `play` and what it asks for, on this machine's loopback alone."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from bitwright.api.frames import Frames
from bitwright.pages import page
from bitwright.playing.drawn import SIDE, image_shape, to_frame
from bitwright.playing.hardware import Hardware, HardwareGoneError
from bitwright.reporting.picture import data_uri, frame_picture, maps, shades, strip
from bitwright.reporting.results import class_name, scores_of
from bitwright_core.design import Design
from bitwright_core.edge import Edge
from bitwright_core.errors import BitwrightError, DataError
from bitwright_core.golden import outputs

HOST = "127.0.0.1"
_MOST_BYTES = 1 << 20  # of a request
_CHANNELS = 8
_CODE_BITS = 8  # of activations; wider numbers are sums
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'"
)


@dataclass(kw_only=True)
class Play:
    """What the page plays with: a design in hardware, simulated or real, and frames to pick from."""

    design: Design
    hardware: Hardware
    frames: Frames
    largest: int = field(init=False)  # value of white

    def __post_init__(self) -> None:
        drawn = self.frames.labels is not None or not self.frames.name.startswith("random")
        most = int(self.frames.frames.max()) if drawn else (1 << self.design.network.input.bits) - 1
        self.largest = max(1, most)

    def html(self) -> str:
        network, manifest = self.design.network, self.design.manifest
        return page(
            "play.html",
            network=network,
            manifest=manifest,
            where=self.hardware.where,
            can_draw=image_shape(network) is not None,
            side=SIDE,
            frames=len(self.frames.frames),
            data=self.frames.name,
        )

    def classify(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to `{"drawing": [SIDE * SIDE bytes]}` or `{"frame": number}`. Raises BitwrightError."""
        frame, label = self._frame(asked)
        started = time.monotonic()
        told = self.hardware.ask(frame[0].tolist())
        seconds = time.monotonic() - started
        network = self.design.network
        numbers = np.asarray(told["outputs"], np.int64)
        golden = outputs(network, frame)[0]
        classes = told["class"] if network.is_classifier else None
        return {
            "class": None if classes is None else class_name(network, classes),
            "label": label,
            "scores": [
                {"name": s.name, "value": s.value, "chosen": s.chosen}
                | {place: round(getattr(s, place), 4) for place in ("start", "share", "zero")}
                for s in scores_of(network, numbers)
            ]
            if len(numbers)
            else [],
            "agrees": bool((golden == numbers).all()) if len(numbers) else classes == int(golden.argmax()),
            "cycles": told["cycles"],
            "microseconds": told["cycles"] / self.design.manifest.clock_mhz,
            "milliseconds": round(1000 * seconds, 1),
            "input": data_uri(frame_picture(frame[0].clip(0, self.largest), self._shown_shape(), self._bits())),
            "layers": [
                {
                    "name": name,
                    "size": len(values),
                    "says": self._says(name, values),
                    "uri": data_uri(self._activations(name, values)),
                }
                for name, values in told["layers"].items()
            ],
        }

    def _bits(self) -> int:
        """Bits with which the largest value is white, or nearly."""
        return self.largest.bit_length() if self.largest & (self.largest + 1) == 0 else (self.largest - 1).bit_length()

    def _shown_shape(self) -> tuple[int, ...]:
        return image_shape(self.design.network) or self.design.network.input.shape

    def _frame(self, asked: dict[str, Any]) -> tuple[NDArray[Any], str | None]:
        network = self.design.network
        if "frame" in asked:
            number = asked["frame"]
            count = len(self.frames.frames)
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < count:
                raise DataError(f"there is no such frame in {self.frames.name}, which has {count}, from 0 on")
            labels = self.frames.labels
            label = None
            if labels is not None and labels.ndim == 1 and network.is_classifier:
                label = class_name(network, int(labels[number]))
            return self.frames.frames[number : number + 1], label
        drawing = asked.get("drawing")
        if (
            not isinstance(drawing, list)
            or len(drawing) != SIDE * SIDE
            or not all(isinstance(value, int) and 0 <= value <= 255 for value in drawing)
        ):
            raise DataError(f"a drawing is a list of {SIDE * SIDE} values from 0 to 255")
        return to_frame(np.asarray(drawing, np.uint8).reshape(SIDE, SIDE), network, self.largest), None

    def _edge(self, name: str) -> Edge:
        return next(layer.edge for layer in self.design.network.matrix_layers if layer.name == name)

    def _says(self, name: str, values: list[int]) -> str:
        """What a layer's activations are, in words."""
        if self._edge(name).number.xnor:
            return f"{sum(values)} of {len(values)} are 1"
        nothing = values.count(0)
        return f"{min(values)} to {max(values)}, {len(values) - nothing} of {len(values)} are not 0"

    def _activations(self, name: str, values: list[int]) -> NDArray[np.uint8]:
        """A layer's activations, the least that there can be (of sums that there is) black and the largest white."""
        edge = self._edge(name)
        least, largest = edge.number.stored if edge.number.bits <= _CODE_BITS else (min(values), max(values))
        white = shades(np.asarray(values) - least, largest - least)
        return maps(white.reshape(edge.shape), _CHANNELS) if len(edge.shape) == 3 else strip(white, 32)


class Server(ThreadingHTTPServer):
    """Answers on loopback, to pages of its own alone."""

    daemon_threads = True

    def __init__(self, play: Play, port: int):
        self.play = play
        super().__init__((HOST, port), _Handler)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}/"

    def start(self) -> threading.Thread:
        """Serves in a thread of its own."""
        thread = threading.Thread(target=self.serve_forever, name="bitwright play", daemon=True)
        thread.start()
        return thread


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._mine():
            return
        if urlsplit(self.path).path == "/":
            self._send(200, self.server.play.html().encode(), "text/html; charset=utf-8")
        else:
            self._json(404, {"error": "there is nothing here; the page is at /"})

    def do_POST(self) -> None:
        if not self._mine():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/classify" or not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._json(404 if self.path != "/classify" else 413, {"error": "no such request"})
            return
        try:
            asked = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            asked = None
        if isinstance(asked, dict):
            self._classify(asked)
        else:
            self._json(400, {"error": "a request is one JSON object"})

    def _mine(self) -> bool:
        """Whether the request is for this address, and from a page of it: other sites' pages may not reach loopback."""
        own = f"{HOST}:{self.server.server_port}"
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in (own, f"localhost:{self.server.server_port}") and origin in (
            None,
            f"http://{own}",
            f"http://localhost:{self.server.server_port}",
        ):
            return True
        self.close_connection = True
        self._json(403, {"error": "this page answers to itself alone"})
        return False

    def _classify(self, asked: dict[str, Any]) -> None:
        try:
            self._json(200, self.server.play.classify(asked))
        except HardwareGoneError as error:
            self._json(503, {"error": str(error)})
        except BitwrightError as error:
            self._json(400, {"error": str(error)})

    def _json(self, status: int, values: dict[str, Any]) -> None:
        self._send(status, json.dumps(values).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is for errors."""
