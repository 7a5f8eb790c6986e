"""HTTP: from a request to a call, through the faults, to an envelope."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tornado.web import RequestHandler

from tests.telegram.calls import Call, Calls
from tests.telegram.errors import ApiError, bad_request, not_found, unauthorized
from tests.telegram.faults import Fault, Faults
from tests.telegram.methods import METHODS
from tests.telegram.parameters import Json, Parameters, Upload
from tests.telegram.session import Session

_METHODS = {name.lower(): (name, method) for name, method in METHODS.items()}


class Lost(Exception):
    """The connection was cut, or stays without an answer: there is nobody to write to."""


class Handler(RequestHandler):
    """What calls and downloads have in common."""

    def initialize(self, session: Session, faults: Faults, calls: Calls) -> None:
        self.session = session
        self.faults = faults
        self.calls = calls
        self.gone = asyncio.Event()

    def on_connection_close(self) -> None:
        self.gone.set()

    def check_token(self, token: str) -> None:
        """Raises ApiError (401, 404)."""
        number, colon, _ = token.partition(":")
        if not colon or not number.isdigit():
            raise not_found()
        if token != self.session.world.token:
            raise unauthorized()

    async def suffer(self, faults: list[Fault]) -> bool:
        """What goes wrong before the call is done. True: its answer shall be lost. Raises Lost, ApiError."""
        for fault in faults:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "cut":
                self.cut()
            elif fault.kind == "drop":
                await self.gone.wait()
                raise Lost
            elif fault.error:
                raise fault.error
        return any(fault.kind == "cut_after" for fault in faults)

    def cut(self) -> None:
        """Close the connection without an answer. Raises Lost."""
        self._finished = True
        self.detach().close()
        raise Lost

    def answer(self, status: int, body: Json) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body))


class MethodHandler(Handler):
    """`/bot<token>/<method>`"""

    async def get(self, token: str, method: str) -> None:
        await self.post(token, method)

    async def post(self, token: str, method: str) -> None:
        name, run = _METHODS.get(method.lower(), (method, None))
        call = Call(name, {}, {})
        self.calls.add(call)
        status, body = 0, {}
        try:
            parameters = self._parameters()
            call.parameters = parameters.values
            call.files = {part: len(upload.data) for part, upload in parameters.uploads.items()}
            self.check_token(token)
            if run is None:
                raise not_found("method not found")
            lose = await self.suffer(self.faults.take(name, call.chat_id))
            work = run(self.session, parameters)
            result = await (self._while_there(work) if name == "getUpdates" else work)
            if lose:
                self.cut()
            status, body = 200, {"ok": True, "result": result}
        except ApiError as error:
            status, body = error.code, error.body()
            call.description = error.description
        except Lost:
            return
        finally:
            call.status, call.done = status, time.monotonic()
        self.answer(status, body)

    async def _while_there(self, work: Any) -> Any:
        """The result of long polling. Raises Lost when the client goes away; all else is done to its end."""
        running = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self.gone.wait())
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        raise Lost

    def _parameters(self) -> Parameters:
        request = self.request
        values: Json = {name: parts[-1].decode() for name, parts in request.arguments.items()}
        if request.headers.get("Content-Type", "").startswith("application/json") and request.body:
            try:
                values |= json.loads(request.body)
            except (ValueError, TypeError) as error:
                raise bad_request("can't parse request body JSON object") from error
        uploads = {
            name: Upload(parts[-1].filename, parts[-1].content_type, parts[-1].body)
            for name, parts in request.files.items()
        }
        return Parameters(values, uploads)


class FileHandler(Handler):
    """`/file/bot<token>/<file_path>`"""

    async def get(self, token: str, path: str) -> None:
        call = Call("download", {"path": path}, {})
        self.calls.add(call)
        try:
            self.check_token(token)
            lose = await self.suffer(self.faults.take("download", None))
            blob = self.session.world.files.at(path)
            if blob is None:
                raise not_found()
            if lose:
                self.cut()
            self.set_header("Content-Type", "application/octet-stream")
            self.finish(blob.data)
            call.status = 200
        except ApiError as error:
            call.status, call.description = error.code, error.description
            self.answer(error.code, error.body())
        except Lost:
            call.status = 0
        finally:
            call.done = time.monotonic()
