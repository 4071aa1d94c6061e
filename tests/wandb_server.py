"""A small W&B server on loopback: enough of its GraphQL to start runs, take their data, and save views."""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a" * 40
ENTITY = "lab"


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that hang up."""

    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        """A client's process may end whenever it wants."""


class Server:
    """What was asked of it and sent to it. `slow`: seconds before each answer; `refuses`: no key is good enough."""

    def __init__(self, slow: float = 0.0, refuses: bool = False) -> None:
        self.slow, self.refuses = slow, refuses
        self.stopped = threading.Event()
        self.asked: list[str] = []  # GraphQL operations by name
        self.runs: dict[str, dict[str, Any]] = {}  # by ID: what upsertBucket was told last of each field
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.exit_code: dict[str, int] = {}
        self.uploaded: dict[str, list[str]] = {}  # files by run
        self.artifacts: list[str] = []
        self.views: list[dict[str, Any]] = []
        self.http = Quiet(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """The `data` of a GraphQL answer."""
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = found.group(1).lower() if found else ""
        self.asked.append(name)
        if name == "upsertbucket":
            return {"upsertBucket": {"bucket": self._bucket(given), "inserted": True}}
        if name == "runresumestatus":
            return {"model": self._resumed(given["name"])}
        if name == "createrunfiles":
            self.uploaded.setdefault(given["run"], []).extend(given["files"])
            files = [{"name": file, "uploadUrl": f"{self.url}/storage/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}
        if name == "artifacttype":
            return {"project": {"artifact": None}}
        if name == "createartifact":
            self.artifacts.append(given["input"]["artifactTypeName"])
            return {"createArtifact": {"artifact": {"id": "1", "state": "COMMITTED", "artifactSequence": _SEQUENCE}}}
        if name.startswith("upsertview"):
            view = {**given, "spec": json.loads(given["spec"])}
            self.views.append(view)
            saved = {"id": f"V{len(self.views)}", "name": given["name"], "type": given["type"]}
            shown = {**saved, "displayName": given["displayName"], "description": "", "spec": given["spec"]}
            project = {"id": "P", "name": given["projectName"], "entityName": given["entityName"]}
            return {"upsertView": {"view": {**shown, "project": project, "updatedAt": None}, "inserted": True}}
        if name == "getprojects":
            return {"models": {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
        viewer = {"id": "U", "entity": ENTITY, "username": ENTITY, "email": None, "flags": "{}"}
        return {"viewer": {**viewer, "teams": {"edges": []}, "apiKeys": {"edges": []}}}

    def _bucket(self, given: dict[str, Any]) -> dict[str, Any]:
        known = self.runs.setdefault(given["name"], {})
        known.update({key: value for key, value in given.items() if value is not None})
        project = {"name": given["project"] or "crossfade", "entity": {"name": ENTITY}}
        name = given["name"]
        shown = {"id": name, "name": name, "displayName": known.get("displayName"), "description": None}
        return {**shown, "config": "{}", "sweepName": None, "project": project, "historyLineCount": 0}

    def _resumed(self, name: str) -> dict[str, Any]:
        lines = self.history.get(name)
        if lines is None:
            return {"id": "P", "name": "crossfade", "entity": {"id": "E", "name": ENTITY}, "bucket": None}
        bucket = {
            "id": name,
            "name": name,
            "summaryMetrics": json.dumps(self.summary.get(name, {})),
            "displayName": name,
            "logLineCount": 0,
            "historyLineCount": len(lines),
            "eventsLineCount": 0,
            "historyTail": json.dumps([json.dumps(lines[-1])] if lines else []),
            "eventsTail": "[]",
            "config": "{}",
            "tags": [],
            "notes": None,
            "wandbConfig": '{"t": 1}',
        }
        return {"id": "P", "name": "crossfade", "entity": {"id": "E", "name": ENTITY}, "bucket": bucket}

    def stream(self, run: str, sent: dict[str, Any]) -> None:
        """Lines of a run's files, each from its offset on."""
        files = sent.get("files") or {}
        lines = self.history.setdefault(run, [])
        if "wandb-history.jsonl" in files:
            part = files["wandb-history.jsonl"]
            lines[part["offset"] :] = [json.loads(line) for line in part["content"]]
        if "wandb-summary.json" in files:
            self.summary[run] = json.loads(files["wandb-summary.json"]["content"][-1])
        if sent.get("complete"):
            self.exit_code[run] = sent.get("exitcode", 0)


_SEQUENCE = {"id": "S", "latestArtifact": None}


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Nothing on the screen."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            server.stopped.wait(server.slow)
            basic = base64.b64encode(f"api:{KEY}".encode()).decode()
            if self.path == "/graphql" and (server.refuses or self.headers.get("Authorization") != f"Basic {basic}"):
                self._say(401, {"errors": [{"message": "user is not logged in"}]})
            elif self.path == "/graphql":
                asked = json.loads(body)
                self._say(200, {"data": server.answer(asked["query"], asked.get("variables") or {})})
            elif self.path.endswith("/file_stream"):
                server.stream(self.path.split("/")[-2], json.loads(body))
                self._say(200, {})
            else:
                self._say(200, {})

        do_PUT = do_GET = do_POST

        def _say(self, code: int, what: dict[str, Any]) -> None:
            text = json.dumps(what).encode()
            try:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except ConnectionError:
                self.close_connection = True  # a client that had waited long enough

    return Handler


@contextmanager
def serving(slow: float = 0.0, refuses: bool = False) -> Iterator[Server]:
    """A server of its own, for as long as the block lasts."""
    server = Server(slow, refuses)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()
