"""The demo page's requests: static files, what the page asks for, and what it changes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import PurePath
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from langchain_agentmem.errors import AgentMemoryError, InvalidInputError
from langchain_agentmem.serve.trouble import tell
from langchain_agentmem.serve.web.guard import Guard
from langchain_agentmem.serve.web.playground import Playground
from langchain_agentmem.wire.connection import REDIS_ERRORS

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = files(__package__) / "static"

Handler: TypeAlias = Callable[[Request], Awaitable[Any]]

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class _Call(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Nothing(_Call):
    """A change that needs no more words."""


class Turn(_Call):
    """Something said to the agent."""

    user: Name
    thread: Name
    text: Text


class Told(_Call):
    """A text to remember, or a question to the memory."""

    user: Name
    text: Text


class Chosen(_Call):
    """One memory."""

    user: Name
    id: Name


class Corrected(Chosen):
    """One memory, with what it says now."""

    text: Text


class Changed(_Call):
    """Sliders that were moved."""

    settings: dict[str, float]


def build_app(playground: Playground) -> Starlette:
    """The page's application.

    Args:
        playground: What it shows and changes. Opened and closed with the application.
    """
    token = secrets.token_urlsafe(24)

    async def hello(_: Request) -> Any:
        return await playground.hello() | {"token": token}

    async def view(request: Request) -> Any:
        return await playground.view(*_asked(request, "user", "thread"))

    async def history(request: Request) -> Any:
        return await playground.history(*_asked(request, "user", "id"))

    async def key(request: Request) -> Any:
        return await playground.key(*_asked(request, "name"))

    async def events(_: Request) -> Response:
        return StreamingResponse(playground.feed.listen(), media_type="text/event-stream")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with playground:
            yield

    reads = {"hello": hello, "view": view, "history": history, "key": key}
    return Starlette(
        routes=[
            Route("/", _file("page.html")),
            *(Route(f"/{name}", _file(name)) for name in _static_files() if name != "page.html"),
            *(Route(f"/api/{name}", _answered(read)) for name, read in reads.items()),
            *(Route(f"/api/{name}", change, methods=["POST"]) for name, change in _changes(playground)),
            Route("/api/events", events),
        ],
        middleware=[Middleware(Guard, token=token)],
        lifespan=lifespan,
    )


def _changes(playground: Playground) -> Iterator[tuple[str, Handler]]:
    """What a POST request may do, each with the form of what it says."""
    forms: dict[Callable[..., Awaitable[Any]], type[_Call]] = {
        playground.turn: Turn,
        playground.recall: Told,
        playground.remember: Told,
        playground.correct: Corrected,
        playground.forget: Chosen,
        playground.change: Changed,
        playground.promote: Nothing,
        playground.reset: Nothing,
    }
    for act, form in forms.items():
        yield act.__name__, _answered(partial(_act, act, form))


async def _act(act: Callable[..., Awaitable[Any]], form: type[_Call], request: Request) -> Any:
    return await act(**dict(form.model_validate_json(await request.body())))


def _answered(answer: Handler) -> Handler:
    """What a handler returns as JSON, and what goes wrong as one line that says what to do."""

    async def answered(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request))
        except ValidationError as error:
            return _refusal(422, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
        except AgentMemoryError as error:
            return _refusal(400, tell(error))
        except REDIS_ERRORS as error:
            return _refusal(503, tell(error))

    return answered


def _refusal(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)


def _asked(request: Request, *names: str) -> list[str]:
    """Parameters of a query.

    Raises:
        InvalidInputError: One is missing.
    """
    for name in names:
        if not request.query_params.get(name):
            raise InvalidInputError(f"{name}: the request must name one")
    return [request.query_params[name] for name in names]


def _static_files() -> list[str]:
    return [each.name for each in _STATIC.iterdir() if PurePath(each.name).suffix in _TYPES]


def _file(name: str) -> Handler:
    content, media_type = (_STATIC / name).read_bytes(), _TYPES[PurePath(name).suffix]

    async def send(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return send
