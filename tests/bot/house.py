"""A house for the bot's tests: Telegram, the real system, a Redis for the notes, and processes of the bot."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from PIL import Image, ImageDraw

from tests.cli.conftest import clean_environment, end_system, start_system
from tests.patience import PATIENCE
from tests.ports import own_port
from tests.services import RedisServer, redis_server
from tests.telegram.asking import Press
from tests.telegram.flood import NO_LIMITS
from tests.telegram.parameters import Json
from tests.telegram.server import BotApi
from tests.telegram.talk import Talk

SECRET = "a-secret-of-the-webhook"  # of this machine's loopback, for minutes
#: Seconds that a job of seconds may take on a busy machine.


@dataclass
class BotProcess:
    """One `python -m bot`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def health(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5)

    @property
    def rss(self) -> int:
        """Bytes of memory it holds."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class House:
    """Everything, running. Bots are started by the tests."""

    telegram: BotApi
    url: str
    key: str
    redis: RedisServer
    folder: Path
    bots: list[BotProcess] = field(default_factory=list)

    @property
    def api(self) -> httpx.Client:
        """Atelier's API with the operator's key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)

    def start_bot(self, *, wait: bool = True, webhook: bool = False, **environ: str) -> BotProcess:
        """A further process of the bot; with `webhook` the one that Telegram sends its updates to."""
        port = own_port()
        log = self.folder / f"bot-{len(self.bots)}.log"
        told = {
            "ATELIER_TELEGRAM_TOKEN": self.telegram.token,
            "ATELIER_TELEGRAM_API": self.telegram.url,
            "ATELIER_TELEGRAM_GUESTS": "yes",
            "ATELIER_TELEGRAM_GUEST_QUEUED": "50",
            "ATELIER_TELEGRAM_LISTEN": f"127.0.0.1:{port}",
            "ATELIER_URL": self.url,
            "ATELIER_KEY": self.key,
            "REDIS_URL": self.redis.url,
        }
        if webhook:
            told["ATELIER_TELEGRAM_WEBHOOK"] = f"http://127.0.0.1:{port}/telegram"
            told["ATELIER_TELEGRAM_SECRET"] = SECRET
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                env=clean_environment() | told | environ,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        made = BotProcess(process, port, log)
        self.bots.append(made)
        if wait:
            self.wait_ready(made)
        return made

    def wait_ready(self, bot: BotProcess, seconds: float = PATIENCE) -> None:
        """Until it has introduced itself to Telegram."""
        give_up = time.monotonic() + seconds
        while b"ready as @" not in bot.log.read_bytes():
            assert bot.process.poll() is None, bot.log.read_text()
            assert time.monotonic() < give_up, bot.log.read_text()
            time.sleep(0.05)

    def end_bots(self) -> None:
        for bot in self.bots:
            if bot.process.poll() is None:
                bot.process.terminate()
        for bot in self.bots:
            try:
                bot.process.wait(30)
            except subprocess.TimeoutExpired:
                bot.kill()
        self.bots.clear()

    def jobs_of(self, user: int) -> list[Json]:
        """A Telegram user's jobs, newest first. The operator's key may ask only so often: then it waits."""
        wanted = {"user": f"telegram-{user}", "name": "a test"}
        with self.api as api:
            while (answer := api.post("/v1/keys", json=wanted)).status_code == 429:
                time.sleep(float(answer.headers["Retry-After"]))
            made = answer.raise_for_status().json()
            found = api.get("/v1/jobs", headers={"Authorization": f"Bearer {made['key']}"}).json()
        return list(found["jobs"])


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """A running house without a bot."""
    system = start_system(folder / "data", folder / "up.log")
    try:
        with BotApi(limits=NO_LIMITS) as telegram, redis_server() as redis:
            system.wait_ready()
            url = json.loads((system.folder / "server.json").read_text())["url"]
            key = (system.folder / "key").read_text().strip()
            made = House(telegram, url, key, redis, folder)
            try:
                yield made
            finally:
                made.end_bots()
    finally:
        end_system(system)


def assert_told(user: Talk, press: Press, text: str) -> None:
    """A tap was answered with this text: in the notice, or in a message where the studio was slow."""
    if text not in press.answer().get("text", ""):
        user.wait_for(lambda message: text in message.text)


def picture(side: int = 96, colour: str = "steelblue", *, kind: str = "JPEG") -> bytes:
    """A small picture with something in it."""
    made = Image.new("RGB", (side, side), colour)
    draw = ImageDraw.Draw(made)
    draw.ellipse((side // 4, side // 4, 3 * side // 4, 3 * side // 4), fill="orange")
    out = io.BytesIO()
    made.save(out, kind)
    return out.getvalue()
