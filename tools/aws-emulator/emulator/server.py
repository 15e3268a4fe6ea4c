"""HTTP/1.1 with keep-alive, a thread for each connection, and full control over how a connection ends."""

import socket
import struct
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    method: str
    path: str            # with the query string
    headers: Any         # an email.message.Message: names in any case
    body: bytes
    server: tuple[str, int]


@dataclass
class Answer:
    status: int
    content_type: str = ""
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    hang_up: str = ""    # "close" or "reset": nothing is sent, the connection ends that way


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "AmazonEC2", ""
    disable_nagle_algorithm = True
    server: "Server"

    def answer(self) -> None:
        try:
            body = self.read_body()
        except ValueError:
            self.close_connection = True
            self.send_error(400)
            return
        request = Request(self.command, self.path, self.headers, body, self.server.server_address)  # type: ignore[arg-type]
        answer = self.server.front.handle(request)
        if answer.hang_up:
            self.hang_up(answer.hang_up)
        else:
            self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def read_chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(chunks)

    def send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self._headers_buffer.append(b"\r\n")
        if self.command != "HEAD":
            self._headers_buffer.append(answer.body)
        self.flush_headers()  # head and body in one write

    def hang_up(self, how: str) -> None:
        self.close_connection = True
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Closing a socket that lingers for zero seconds sends a reset; shutdown() before it would not.
            self.server.reset_sockets.add(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, verbose: bool = False):
        from .front import Front

        self.front = Front(verbose)
        self.reset_sockets: set[socket.socket] = set()
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host}:{port}"

    def shutdown_request(self, request: Any) -> None:
        if request in self.reset_sockets:
            self.reset_sockets.discard(request)
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)
