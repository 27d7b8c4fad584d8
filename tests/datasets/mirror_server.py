"""A local mirror: it serves the right file, or fails in one of many ways."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

HTML = b"<!DOCTYPE html><html><body>Service unavailable</body></html>"


@dataclass
class Server:
    """Serves `files` under /<behaviour>/<name>, and notes every path asked for."""

    files: dict[str, bytes]
    address: str = ""
    asked: list[str] = field(default_factory=list)
    quit: threading.Event = field(default_factory=threading.Event)
    outlasted: bool = False  # whether a client waited for the end of a stall

    def mirror(self, behaviour: str) -> str:
        return f"{self.address}/{behaviour}/"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        _, behaviour, name = handler.path.split("/")
        body = self.files[name]
        if behaviour in ("404", "503"):
            return self.send(handler, int(behaviour), HTML, "text/html")
        if behaviour == "html":
            return self.send(handler, 200, HTML, "text/html")
        if behaviour == "wrong":
            return self.send(handler, 200, gzip.compress(b"another file altogether"))
        if behaviour == "exchanged":
            return self.send(handler, 200, self.files[sorted(self.files)[0]])
        if behaviour == "empty":
            return self.send(handler, 200, b"")
        if behaviour == "oversized":
            return self.send(handler, 200, body + b"\1" * 200_000)
        if behaviour == "endless":  # no length given: only counting can end it
            return self.send(handler, 200, body + b"\1" * 3_000_000, length=-1)
        if behaviour == "truncated":  # fewer bytes than the length it announces
            return self.send(handler, 200, body[: len(body) // 2], length=len(body))
        if behaviour == "short":  # half of it, with a length that agrees
            return self.send(handler, 200, body[: len(body) // 2])
        if behaviour == "flipped":
            return self.send(handler, 200, body[:-20] + bytes([body[-20] ^ 1]) + body[-19:])
        if behaviour == "insecure":
            handler.send_response(302)
            handler.send_header("Location", f"http://mirror.invalid/{name}")
            return handler.end_headers()
        if behaviour == "moved":
            handler.send_response(302)
            handler.send_header("Location", f"/good/{name}")
            return handler.end_headers()
        if behaviour == "recompressed":
            return self.send(handler, 200, gzip.compress(gzip.decompress(body), 1))
        if behaviour == "good":
            return self.send(handler, 200, body)
        if behaviour == "silent":
            self.outlasted |= not self.quit.wait(30)
            return None
        assert behaviour in ("stalled", "dripping")
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:100])
        for number, byte in enumerate(body[100:200], 1):
            if self.quit.wait(30 if behaviour == "stalled" else 0.05):
                break
            handler.wfile.write(bytes([byte]))
            self.outlasted |= behaviour == "stalled" or number == 100
        return None

    def send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        kind: str = "application/gzip",
        length: int | None = None,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if length != -1:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
