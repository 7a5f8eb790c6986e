"""Adding an engine is adding one folder, for people in a chat as well: its form, its words, its job."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.serving import make_server

import engines
from api import create_app
from api.settings import Settings as ApiSettings
from bot.app import build, serve
from bot.settings import Settings
from engines import words
from accounts.store import AccountStore
from jobs.store import JobStore
from queue_config import Doorbell
from storage.memory import MemoryStorage
from tests.bot.house import picture
from tests.telegram.people import User

SPEC = '''
from typing import Literal

from pydantic import Field

from engines.base import EngineSpec, ImageRef, Params
from engines.ui import ui


class PosterParams(Params):
    """Few colours."""

    paper: Literal["matt", "glossy"] = Field(
        default="matt", description="What it is printed on.", json_schema_extra=ui("result")
    )
    picture: ImageRef = Field(description="The picture.", json_schema_extra=ui("subject", role="content"))
    colours: int = Field(
        default=6,
        ge=2,
        le=32,
        description="How many colours are left.",
        json_schema_extra=ui("look", role="strength", ends=("flat", "rich")),
    )
    border: bool = Field(default=False, description="With a border.", json_schema_extra=ui("look"))
    width: int = Field(
        default=8, ge=1, le=64, description="The border's.", json_schema_extra=ui("look", only_with="border")
    )
    dots: int = Field(
        default=0, ge=0, le=9, description="A screen.", json_schema_extra=ui("look", advanced=True)
    )


SPEC = EngineSpec(
    name="poster",
    title="Poster",
    description="Reduces a picture to a few flat colours.",
    params=PosterParams,
    produces=("image/png",),
    example={"picture": "art_photo", "colours": 6},
    queue="cpu",
)
'''
GERMAN = """
title = "Plakat"
description = "Lässt von einem Bild wenige Farben übrig."

[fields.picture]
title = "Bild"
description = "Das Bild."

[fields.colours]
title = "Farben"
description = "Wie viele Farben übrig bleiben."
ends = ["flach", "reich"]

[fields.border]
title = "Rand"

[fields.width]
title = "Breite"

[fields.paper]
title = "Papier"
choices.matt = "Matt"
choices.glossy = "Glänzend"
"""


@pytest.fixture(autouse=True)
def _poster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One folder more, and nothing else."""
    folder = tmp_path / "poster"
    (folder / "words").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Few colours."""\n')
    (folder / "spec.py").write_text(SPEC)
    (folder / "words" / "de.toml").write_text(GERMAN)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    engines.names.cache_clear()
    yield
    monkeypatch.undo()
    for cached in (engines.names, engines.spec, words.catalogue):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("engines.poster")]:
        del sys.modules[name]


@pytest.fixture
def store(sqlite_database) -> JobStore:
    return JobStore(sqlite_database)


@pytest.fixture
def url(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API in a thread."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # its broker: nothing listens there
    app = create_app(store, MemoryStorage(), Doorbell(), ApiSettings(rate_per_minute=0))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="api")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The bot in a thread, with an event loop of its own."""
    started = threading.Event()
    ending: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        ending.append((asyncio.get_running_loop(), stop))
        started.set()
        await serve(build(settings), stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="bot")
    thread.start()
    assert started.wait(30)
    try:
        yield
    finally:
        loop, stop = ending[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def eva(telegram, redis_of_the_bot, store, url) -> Iterator[User]:
    """Somebody who speaks German."""
    key = AccountStore(store.database).create_key("root", admin=True)[0]
    settings = Settings.model_validate(
        {
            "token": telegram.token,
            "api": telegram.url,
            "guests": True,
            "listen": "127.0.0.1:0",
            "url": url,
            "key": key,
            "redis_url": redis_of_the_bot.url,
        }
    )
    with running(settings):
        yield telegram.user("Eva", language_code="de-AT")


def test_a_new_folder_is_a_form_in_a_chat(eva: User, store: JobStore):
    # given: a menu that nobody changed
    eva.say("/new")
    menu = eva.wait_for(lambda m: "Plakat" in m.labels, 30)
    assert "Lässt von einem Bild wenige Farben übrig." in menu.text
    # when: it is chosen, and asks for its picture
    eva.press("Plakat").answer(10)
    asked = eva.wait_for(lambda m: "Das Bild." in m.text, 20)
    assert "Schick mir ein Bild" in asked.text
    eva.send_photo(picture())
    form = eva.wait_for(lambda m: "▶️ Los" in m.labels, 20)
    # then: its fields stand by their groups, in words of its own and, where it has none, of its spec
    settings = [label for label in form.labels if ":" in label]
    assert settings == ["Bild: 1 Bild", "Farben: 6", "Rand: nein", "Papier: Matt"]

    # a field that needs another comes with it, one for few is a tap away
    eva.press("Rand: nein").answer(10)
    form = eva.wait_for(lambda m: "Breite: 8" in m.labels, 20)
    eva.press("⚙️ Mehr Einstellungen").answer(10)
    eva.wait_for(lambda m: {"Dots: 0", "Seed: automatisch"} <= set(m.labels), 20)
    eva.press("‹ Zurück").answer(10)
    eva.wait_for(lambda m: "Farben: 6" in m.labels, 20)

    # a number says what its ends do
    eva.press("Farben: 6").answer(10)
    question = eva.wait_for(lambda m: "Wie viele Farben übrig bleiben." in m.text, 20)
    assert "2: flach; 32: reich" in question.text
    eva.say("4")
    eva.wait_for(lambda m: "Farben: 4" in m.labels, 20)
    eva.press("▶️ Los").answer(10)
    eva.wait_for(lambda m: "✖️ Abbrechen" in m.labels and "Plakat" in m.text, 20)
    (job,) = store.page(None)
    assert job.engine == "poster"
    assert (job.params["colours"], job.params["border"], job.params["paper"]) == (4, True, "matt")
    assert job.params["picture"].startswith("art_")
