"""A server on the loopback that speaks OpenAI's API, so that the real clients can be driven without key or network.

A test says in Python what "the model" answers:

```python
def answer(request: ChatRequest) -> Reply:
    return {"discrete": [{"text": "Ann likes tea.", "turns": [1]}]} if "tea" in request.text else Status(429)

with OpenAIStub(answer) as stub:
    model = stub.chat_model()        # a ChatOpenAI
    embeddings = stub.embeddings()   # OpenAIEmbeddings
```

A dict is the object asked for, by whatever way the client asks: JSON schema, tool call or plain text. A text is sent as
it is. The other replies are the ways in which a model fails.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

DIMS = 64


@dataclass(frozen=True)
class Status:
    """An HTTP error, such as 429 or 500."""

    code: int
    retry_after: float | None = None


@dataclass(frozen=True)
class Hang:
    """No answer for so many seconds, or until the stub closes."""

    seconds: float = 30.0


@dataclass(frozen=True)
class Call:
    """A call of the tool that is asked for, with these arguments as they stand: they may be no JSON."""

    arguments: str


@dataclass(frozen=True)
class Cut:
    """An answer that ends in the middle: `finish_reason` is `length`."""

    text: str = '{"discrete": [{"text": "Ann li'


@dataclass(frozen=True)
class Refusal:
    """The model will not answer."""

    text: str = "I cannot help with that."


@dataclass(frozen=True)
class Filtered:
    """The provider withholds the answer."""


Reply: TypeAlias = str | Mapping[str, Any] | Status | Hang | Call | Cut | Refusal | Filtered


@dataclass(frozen=True)
class ChatRequest:
    """What a client asked.

    Attributes:
        body: The request as it came.
        headers: Its headers, in lower case.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """All system prompts."""
        return "\n".join(_content(each) for each in self.messages if each["role"] in {"system", "developer"})

    @property
    def text(self) -> str:
        """The last message."""
        return _content(self.messages[-1])

    @property
    def all_text(self) -> str:
        """All messages."""
        return "\n".join(map(_content, self.messages))

    @property
    def tool(self) -> str | None:
        """The tool that must be called, or the first there is."""
        tools = self.body.get("tools") or []
        return tools[0]["function"]["name"] if tools else None


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


Answer: TypeAlias = Callable[[ChatRequest], Reply]
Embed: TypeAlias = Callable[[Sequence[Any]], Status | Hang | None]


def nothing(request: ChatRequest) -> Reply:
    """A model that finds nothing to remember, whatever it is asked for."""
    form = request.body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    return {name: [] for name in form.get("properties", {"discrete": None})}


class OpenAIStub:
    """The server. Use it in `with`.

    Args:
        answer: What the model answers to a request.
        embed: What becomes of a request for embeddings before it is served: a failure, or None.

    Attributes:
        requests: The chat requests so far.
        texts: The texts that were embedded so far.
    """

    def __init__(self, answer: Answer = nothing, embed: Embed = lambda texts: None) -> None:
        self.reset(answer, embed)
        self.closing = threading.Event()
        stub = self

        class Handler(_Handler):
            owner = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def reset(self, answer: Answer = nothing, embed: Embed = lambda texts: None) -> None:
        """Answer from now on like this, and forget what was asked."""
        self.answer, self.embed = answer, embed
        self.requests: list[ChatRequest] = []
        self.texts: list[Any] = []

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def chat_model(self, **options: Any) -> ChatOpenAI:
        """The real client of this server; by default it tries once and waits 5 seconds."""
        given: dict[str, Any] = {"model": "gpt-4o-mini", "max_retries": 0, "timeout": 5} | options
        return ChatOpenAI(base_url=self.url, api_key=SecretStr("sk-test"), **given)

    def embeddings(self, **options: Any) -> OpenAIEmbeddings:
        """The real client for embeddings. It counts no tokens: that would download a vocabulary."""
        given: dict[str, Any] = {"model": "text-embedding-3-small", "max_retries": 0, "timeout": 5} | options
        return OpenAIEmbeddings(
            base_url=self.url, api_key=SecretStr("sk-test"), check_embedding_ctx_length=False, **given
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIStub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            self._embed(body)
        elif self.path.endswith("/chat/completions"):
            self._chat(ChatRequest(body, {name.lower(): value for name, value in self.headers.items()}))
        else:
            self._fail(Status(404))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _chat(self, request: ChatRequest) -> None:
        self.owner.requests.append(request)
        reply = self.owner.answer(request)
        if isinstance(reply, Status | Hang):
            self._fail(reply)
        elif request.body.get("stream"):
            self._stream(request, reply)
        else:
            message, reason = _message(request, reply)
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
            self._json(200, _frame("chat.completion", [choice]) | {"usage": _usage(request, message)})

    def _stream(self, request: ChatRequest, reply: Any) -> None:
        message, reason = _message(request, reply)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for delta in _deltas(message):
            self._event(_frame("chat.completion.chunk", [{"index": 0, "delta": delta, "finish_reason": None}]))
        self._event(_frame("chat.completion.chunk", [{"index": 0, "delta": {}, "finish_reason": reason}]))
        if (request.body.get("stream_options") or {}).get("include_usage"):
            self._event(_frame("chat.completion.chunk", []) | {"usage": _usage(request, message)})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _event(self, value: Mapping[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())

    def _embed(self, body: Mapping[str, Any]) -> None:
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        if failure := self.owner.embed(given):
            self._fail(failure)
            return
        self.owner.texts += given
        packed = body.get("encoding_format") == "base64"
        dims = body.get("dimensions") or DIMS
        data = [
            {"object": "embedding", "index": i, "embedding": _packed(vector) if packed else vector}
            for i, vector in enumerate(embed(text, dims) for text in given)
        ]
        usage = {"prompt_tokens": len(given), "total_tokens": len(given)}
        self._json(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _fail(self, failure: Status | Hang) -> None:
        if isinstance(failure, Hang):
            self.owner.closing.wait(failure.seconds)
            self.close_connection = True
            return
        after = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
        error = {"message": f"scripted failure {failure.code}", "type": "scripted", "code": str(failure.code)}
        self._json(failure.code, {"error": error}, after)

    def _json(self, status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, header in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, header)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # a client that lives on must not find a dead connection in its pool
        self.end_headers()
        self.wfile.write(body)


def _message(request: ChatRequest, reply: Any) -> tuple[dict[str, Any], str]:
    """An assistant's message and why it ends there."""
    if isinstance(reply, Refusal):
        return {"content": None, "refusal": reply.text}, "stop"
    if isinstance(reply, Filtered):
        return {"content": ""}, "content_filter"
    if isinstance(reply, Cut):
        return {"content": reply.text}, "length"
    called = isinstance(reply, Call)
    text = reply.arguments if called else reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
    if request.tool and (called or not isinstance(reply, str)):
        call = {"id": "call_1", "type": "function", "function": {"name": request.tool, "arguments": text}}
        return {"content": None, "tool_calls": [call]}, "tool_calls"
    return {"content": text}, "stop"


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for call in message.get("tool_calls") or []:
        yield {"tool_calls": [{"index": 0, **call}]}
    for name in ("content", "refusal"):
        text = message.get(name) or ""
        yield from ({name: text[at : at + 16]} for at in range(0, len(text), 16))


def _frame(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"id": "chatcmpl-stub", "object": kind, "created": int(time.time()), "model": "gpt-4o-mini"}
    return head | {"choices": choices}


def _usage(request: ChatRequest, message: Mapping[str, Any]) -> dict[str, int]:
    """About one token for four characters."""
    read, written = len(request.all_text) // 4, len(str(message)) // 4
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def embed(text: Any, dims: int = DIMS) -> list[float]:
    """A vector of a text's words: texts that share words are near each other, the same everywhere."""
    vector = [0.0] * dims
    words = text.lower().split() if isinstance(text, str) else map(str, text)
    for word in words:
        vector[zlib.crc32(word.strip(".,!?;:'\"").encode()) % dims] += 1.0
    length = math.hypot(*vector) or 1.0
    return [each / length for each in vector] if any(vector) else [1.0] + [0.0] * (dims - 1)


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
