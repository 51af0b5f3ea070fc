"""LangSmith's ingest endpoint on loopback, for the real client to post to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith import Client
from langsmith.utils import get_env_var


class Ingest:
    """Keeps every run that is posted."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append(self.path)
                outer.bodies.append(body)
                self._answer(b"{}")

            do_PATCH = do_POST  # noqa: N815 - the names that http.server asks for

            def do_GET(self) -> None:
                limits = {"size_limit": 100, "size_limit_bytes": 10**7, "scale_up_qsize_trigger": 10**4}
                config = {"use_multipart_endpoint": False, "scale_up_nthreads_limit": 1, **limits}
                self._answer(json.dumps({"batch_ingest_config": config}).encode())

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def client(self) -> Client:
        """A client that posts here."""
        return Client(api_url=self.url, api_key="none", auto_batch_tracing=True)

    def posted(self, client: Client) -> dict[str, dict[str, Any]]:
        """What was posted of each run, by its id, once the client has posted all; it is closed."""
        wait_for_all_tracers()
        client.flush()
        client.close()
        return self.runs()

    def runs(self) -> dict[str, dict[str, Any]]:
        """What was posted of each run, by its id."""
        found: dict[str, dict[str, Any]] = {}
        for body in self.bodies:
            batch = json.loads(body)
            for run in [*batch.get("post", []), *batch.get("patch", [])]:
                found.setdefault(run["id"], {}).update({k: v for k, v in run.items() if v is not None})
        return found


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    forget_environment()
    ingest = Ingest()
    thread = threading.Thread(target=ingest.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield ingest
    ingest.server.shutdown()
    ingest.server.server_close()
    thread.join()
    forget_environment()


def forget_environment() -> None:
    """LangSmith reads its environment variables once."""
    get_env_var.cache_clear()  # type: ignore[attr-defined]
