"""A real server of S3 (SeaweedFS) on loopback, `dlsweep` with its results there, and a proxy in front of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.commands import Dlsweep

WEED = Path(sys.executable).parent / "weed"
PORTS = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
OFF = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.max=20", "-s3.port.https=0"]
ACTIONS = ["Admin", "Read", "Write", "List"]
KEYS = {"accessKey": "key", "secretKey": "secret"}
# A proxy that changes a request breaks its signature, so it sends the request as nobody.
WHO: list[dict[str, Any]] = [{"name": "tests", "credentials": [KEYS]}, {"name": "anonymous"}]
BUCKET = "bucket"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Start a server with a bucket, and yield its port."""
    (folder / "who.json").write_text(json.dumps({"identities": [{**who, "actions": ACTIONS} for who in WHO]}), "utf-8")
    port, grpc, *others = free_ports(2 + len(PORTS))
    ports = [f"-{name}={number}" for name, number in zip(PORTS, others)]
    own = [f"-s3.port={port}", f"-s3.port.grpc={grpc}", f"-s3.config={folder / 'who.json'}", f"-dir={folder}"]
    command = [str(WEED), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", *own, *ports, *OFF]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            while not _ready(port):
                assert process.poll() is None, (folder / "log").read_text("utf-8")
                time.sleep(0.1)
            yield port
        finally:
            process.kill()


def _ready(port: int) -> bool:
    with suppress(Exception):
        files(port).mkdir(BUCKET)
        files(port).pipe_file(f"{BUCKET}/ready", b"")
        return True
    return False


def files(port: int) -> Any:
    """The file system of a server, for a look past `dlsweep`."""
    from s3fs import S3FileSystem

    url = f"http://127.0.0.1:{port}"
    return S3FileSystem(key="key", secret="secret", endpoint_url=url, use_listings_cache=False)


def environment(port: int) -> dict[str, str]:
    """The variables that lead to a server."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


class Remote(Dlsweep):
    """`dlsweep` with a server. url: a folder of its own there; place: the results of tiny.yaml in it."""

    def __init__(self, folder: Path, port: int):
        super().__init__(folder)
        self.port, self.environment = port, environment(port)
        self.url = f"s3://{BUCKET}/{folder.parent.name}-{folder.name}"
        self.place = f"{self.url}/tiny"

    def names(self, inside: str) -> list[str]:
        """The names of all objects in a folder of the results, hidden ones included."""
        return self.at(self.place, inside)

    def at(self, place: str, inside: str) -> list[str]:
        """The names of all objects in a folder of other results."""
        with suppress(FileNotFoundError):
            found = files(self.port).ls(f"{place[5:]}/{inside}", detail=False)
            return sorted(name.rpartition("/")[2] for name in found)
        return []

    def published(self) -> int:
        """The number of chunks that count."""
        return sum(name.startswith(".") for name in self.names("runs"))


@dataclass(frozen=True)
class Request:
    """A request that a proxy got. number: of those that change something, counted from 1; 0 for others."""

    method: str
    path: str
    headers: Mapping[str, str]
    number: int


# What happens to a request: "" passes it on, "cut" does not, "lost" cuts its answer, "stall" does nothing, "torn" sends
# half of it on, "unconditional" leaves out its condition, and a number is the answer.
Rule = Callable[[Request], str | int]


class Proxy:
    """A proxy of HTTP in front of a server. rule: what happens to a request."""

    def __init__(self, port: int, rule: Rule):
        self.target, self.rule = port, rule
        self.changes, self.faults = 0, list[str | int]()
        self.counting, self.ended = threading.Lock(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def environment(self) -> dict[str, Any]:
        """The variables that lead to it."""
        return environment(self.port)

    def fate(self, handler: BaseHTTPRequestHandler) -> str | int:
        with self.counting:
            changes = handler.command in ("PUT", "DELETE", "POST")
            self.changes += changes
            request = Request(handler.command, handler.path, dict(handler.headers), self.changes if changes else 0)
        if found := self.rule(request):
            self.faults.append(found)
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            fate: str | int | None = None

            def log_message(self, *_: object) -> None:
                pass

            def handle_expect_100(self) -> bool:
                self.fate = proxy.fate(self)
                if self.fate == "stall":
                    proxy.ended.wait()
                return super().handle_expect_100()

            def do_GET(self) -> None:
                fate, self.fate = proxy.fate(self) if self.fate is None else self.fate, None
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fate == "stall":
                    proxy.ended.wait()
                if isinstance(fate, int):
                    self.send_response(fate)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.close_connection = fate in ("stall", "cut", "lost", "torn")
                if fate in ("stall", "cut"):
                    return
                status, headers, answer = self.passed_on(body, fate)
                if fate in ("lost", "torn"):
                    return
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

            def handle(self) -> None:
                with suppress(OSError):  # a client that was killed
                    super().handle()

            def passed_on(self, body: bytes, fate: str) -> tuple[int, list[tuple[str, str]], bytes]:
                left = {"expect"} | ({"if-none-match", "authorization"} if fate == "unconditional" else set())
                with closing(HTTPConnection("127.0.0.1", proxy.target, timeout=60)) as connection:
                    connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in left:
                            connection.putheader(name, value)
                    connection.endheaders(body[: len(body) // 2] if fate == "torn" else body)
                    if fate == "torn":
                        return 0, [], b""
                    with connection.getresponse() as answer:
                        content = answer.read()
                hidden = {"transfer-encoding", "connection", "content-length"}
                headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in hidden]
                length = answer.getheader("Content-Length", "") if self.command == "HEAD" else str(len(content))
                return answer.status, [*headers, ("Content-Length", length)], content

        return Handler
