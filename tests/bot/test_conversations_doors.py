"""Who comes in, and what becomes of what they said when something is away, ends, or hears it twice."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.bot.balancer import balancer
from tests.bot.house import SECRET, House, assert_told, house, picture
from tests.patience import PATIENCE
from tests.ports import own_port
from tests.telegram.people import User
from tests.telegram.transcript import Shown

pytestmark = pytest.mark.waits


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def home(whole: House):
    """The house, empty of bots before and after."""
    yield whole
    whole.end_bots()
    whole.telegram.faults.clear()


@pytest.fixture
def ada(home: House) -> User:
    return home.telegram.user("Ada")


def is_form(message: Shown) -> bool:
    return "▶️ Go" in message.labels


def is_over(message: Shown) -> bool:
    return "🔁 Again" in message.labels


def echo(user: User, seconds: float) -> Shown:
    """A job that does nothing, so long."""
    user.say(f'/new echo {{"seconds": {seconds}, "text": "done"}}')
    form = user.wait_for(is_form)
    user.press("▶️ Go", form).answer()
    return form


def test_who_was_not_let_in_hears_so_and_gets_no_account(home, ada):
    bob = home.telegram.user("Bob")
    home.start_bot(ATELIER_TELEGRAM_GUESTS="no", ATELIER_TELEGRAM_ALLOW=str(bob.id))
    for said in ("/start", "/planet mars", "hello"):
        before = ada.say(said)
        ada.wait_for(lambda m: str(ada.id) in m.text, 20, after=before)
    ada.send_photo(picture())
    ada.wait_until(lambda all_: sum(str(ada.id) in m.text for m in all_) == 4)
    bob.say("/start")
    bob.wait_for(lambda m: "Planets" in m.labels)

    assert home.jobs_of(ada.id) == []


def test_who_was_let_in_once_and_is_no_more(home, ada):
    bot = home.start_bot(ATELIER_TELEGRAM_GUESTS="no", ATELIER_TELEGRAM_ALLOW=str(ada.id))
    form = echo(ada, 0)
    ada.wait_for(lambda m: m.id == form.id and is_over(m), PATIENCE)
    assert bot.terminate() == 0
    home.start_bot(ATELIER_TELEGRAM_GUESTS="no")

    assert_told(ada, ada.press("🔁 Again"), f"give this number: {ada.id}.")
    before = ada.say("/jobs")
    ada.wait_for(lambda m: str(ada.id) in m.text, 20, after=before)


def test_a_guest_s_limits_are_told(home, ada):
    home.start_bot(ATELIER_TELEGRAM_GUEST_QUEUED="1")
    echo(ada, 20)
    ada.wait_for(lambda m: "▱" in m.text, PATIENCE)
    echo(ada, 0)
    ada.say('/new echo {"seconds": 0}')
    form = ada.wait_for(lambda m: is_form(m) and "Text: hello" in m.labels)
    assert_told(ada, ada.press("▶️ Go", form), "as many jobs waiting as you may")
    assert len(home.jobs_of(ada.id)) == 2
    assert is_form(next(m for m in ada.messages if m.id == form.id)), "the form is still there"
    ada.press("✖️ Cancel", next(m for m in ada.messages if "▱" in m.text)).answer()
    ada.wait_until(lambda all_: any(is_over(m) for m in all_), PATIENCE)


def test_an_update_that_comes_twice_makes_one_job(home, ada):
    home.start_bot()
    ada.say('/new echo {"seconds": 0}')
    form = ada.wait_for(is_form)
    press = ada.press("▶️ Go", form)
    press.answer()
    ada.wait_for(is_over, PATIENCE)
    before = len(ada.messages)
    home.telegram.updates.again(press.query.update)
    ada.say("/help")
    ada.wait_for(lambda m: "/planet" in m.text)

    assert len(home.jobs_of(ada.id)) == 1
    assert len(ada.messages) == before + 2


def test_two_processes_share_a_webhook(home, ada):
    first = home.start_bot(webhook=True)
    second = home.start_bot(webhook=True)
    with balancer([first.port, second.port]) as balanced:
        for bot in (first, second):
            bot.terminate()
        home.bots.clear()
        bots = [
            home.start_bot(
                webhook=True,
                ATELIER_TELEGRAM_WEBHOOK=f"{balanced.url}/telegram",
                ATELIER_TELEGRAM_LISTEN=f"127.0.0.1:{port}",
            )
            for port in (first.port, second.port)
        ]
        people = [home.telegram.user(f"Person {number}") for number in range(6)]
        for person in people:
            person.say('/new echo {"seconds": 0}')
        for person in people:
            person.wait_for(is_form)
            person.press("▶️ Go").answer()
        for person in people:
            person.wait_for(is_over, PATIENCE)
        ada.send_album([picture(colour=colour) for colour in ("red", "green", "blue", "white")])
        ada.wait_for(lambda m: "I have 4 pictures" in m.text)
        # What Telegram sends twice, at the same moment, to both.
        press = people[0].press("🔁 Again")
        press.answer()
        home.telegram.updates.again(press.query.update)
        form = people[0].wait_for(is_form)
        again = people[0].press("▶️ Go", form)
        home.telegram.updates.again(again.query.update)
        people[0].wait_until(lambda all_: sum(is_over(m) for m in all_) == 2, PATIENCE)

        assert all(count > 3 for count in balanced.had.values()), balanced.had
        assert [len(home.jobs_of(person.id)) for person in people] == [2, 1, 1, 1, 1, 1]
        assert len([m for m in ada.messages if m.from_bot]) == 1
        for bot in bots:
            assert b"ERROR" not in bot.log.read_bytes(), bot.log.read_text()


def test_strangers_do_not_get_in_by_the_webhook(home):
    bot = home.start_bot(webhook=True)
    url = f"http://127.0.0.1:{bot.port}/telegram"
    update = {"update_id": 1, "message": {"message_id": 1}}

    assert httpx.post(url, json=update).status_code == 403
    wrong = {"X-Telegram-Bot-Api-Secret-Token": "guess"}
    assert httpx.post(url, json=update, headers=wrong).status_code == 403
    right = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    assert httpx.post(url, content=b"{", headers=right).status_code == 200, "sent again it is no better"
    assert httpx.post(url, content=b"[]", headers=right).status_code == 200
    assert httpx.get(url).status_code == 405
    assert bot.health().json()["ok"] is True


def test_a_stop_in_the_middle_of_a_job_delivers_it_once(home, ada):
    first = home.start_bot()
    form = echo(ada, 3)
    ada.wait_for(lambda m: m.id == form.id and not is_form(m))
    assert first.terminate() == 0
    home.start_bot()
    ada.wait_for(lambda m: m.id == form.id and is_over(m), PATIENCE)
    time.sleep(2)

    assert len([m for m in ada.messages if m.from_bot]) == 1


def test_a_kill_in_the_middle_of_a_job_delivers_it_once(home, ada):
    first = home.start_bot()
    form = echo(ada, 3)
    ada.wait_for(lambda m: m.id == form.id and not is_form(m))
    first.kill()
    home.start_bot()
    ada.wait_for(lambda m: m.id == form.id and is_over(m), PATIENCE)
    time.sleep(2)

    assert len([m for m in ada.messages if m.from_bot]) == 1


def test_a_kill_between_the_job_and_its_message_makes_neither_twice(home, ada):
    first = home.start_bot()
    ada.say("/start")
    ada.wait_for(lambda m: "Planets" in m.labels)
    home.telegram.faults.drop(1, "sendMessage")
    before = ada.say("/planet mars 2")
    give_up = time.monotonic() + 20
    while not home.jobs_of(ada.id):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    first.kill()
    assert ada.messages[-1].id == before.id
    home.start_bot()
    # The dead process's lease has to end first.
    ada.wait_for(is_over, PATIENCE, after=before)
    ada.wait_until(lambda all_: sum(m.kind == "document" for m in all_) == 2, PATIENCE)

    assert len(home.jobs_of(ada.id)) == 1


def test_what_was_said_while_no_bot_ran_is_answered(home, ada):
    ada.say("/help")
    home.start_bot()
    ada.wait_for(lambda m: "/planet" in m.text)


def test_the_api_is_away_and_a_form_survives_it(home, ada):
    bot = home.start_bot()
    ada.say('/new echo {"seconds": 0}')
    form = ada.wait_for(is_form)
    assert bot.terminate() == 0
    bot = home.start_bot(ATELIER_URL=f"http://127.0.0.1:{own_port()}")
    assert_told(ada, ada.press("▶️ Go", form), "cannot be reached")
    before = ada.say("/planet mars")
    ada.wait_for(lambda m: "cannot be reached" in m.text, 20, after=before)
    assert bot.health().status_code == 200, "a probe that ended it would help nobody"
    assert bot.terminate() == 0
    home.start_bot()
    ada.press("▶️ Go", form).answer()
    ada.wait_for(lambda m: m.id == form.id and is_over(m), PATIENCE)

    assert len(home.jobs_of(ada.id)) == 1


def test_redis_is_away_and_nothing_said_is_lost(home, ada):
    bot = home.start_bot()
    ada.say("/help")
    ada.wait_for(lambda m: "/planet" in m.text)
    home.redis.stop()
    before = ada.say("/settings")
    give_up = time.monotonic() + 20
    while bot.health().status_code != 503:
        assert time.monotonic() < give_up
    home.redis.start()
    ada.wait_for(lambda m: "English" in m.text, 40, after=before)
    assert bot.health().status_code == 200


def test_telegram_cuts_an_answer_off_and_it_comes_nevertheless(home, ada):
    home.start_bot()
    home.telegram.faults.cut("sendMessage", times=2)
    ada.say("/help")
    ada.wait_for(lambda m: "/planet" in m.text)


def test_telegram_says_to_wait_and_others_are_served(home, ada):
    home.start_bot()
    bob = home.telegram.user("Bob")
    home.telegram.faults.flood(3, "sendMessage", chat_id=ada.id)
    ada.say("/help")
    time.sleep(0.5)
    asked = time.monotonic()
    bob.say("/help")
    bob.wait_for(lambda m: "/planet" in m.text)
    assert time.monotonic() - asked < 2
    ada.wait_for(lambda m: "/planet" in m.text)


def test_telegram_is_away_at_the_start(home, ada):
    with home.telegram.faults.offline():
        bot = home.start_bot(wait=False)
        time.sleep(3)
        assert bot.process.poll() is None, bot.log.read_text()
    home.wait_ready(bot)
    ada.say("/help")
    ada.wait_for(lambda m: "/planet" in m.text)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ATELIER_TELEGRAM_TOKEN": ""}, "token"),
        ({"ATELIER_TELEGRAM_TOKEN": "1:unknown"}, "Telegram does not know this token"),
        ({"ATELIER_TELEGRAM_WEBHOOK": "https://example.org/"}, "ATELIER_TELEGRAM_SECRET"),
    ],
)
def test_a_bot_that_cannot_run_says_why(home, environ, said):
    bot = home.start_bot(wait=False, **environ)

    assert bot.process.wait(30) == 2
    assert said in bot.log.read_text()
    assert home.telegram.token not in bot.log.read_text()


def test_a_blocked_bot_goes_on(home, ada):
    bot = home.start_bot()
    form = echo(ada, 2)
    ada.wait_for(lambda m: m.id == form.id and not is_form(m))
    ada.block_bot()
    bob = home.telegram.user("Bob")
    echo(bob, 0)
    bob.wait_for(is_over, PATIENCE)
    assert bot.process.poll() is None
    ada.unblock_bot()
    ada.say("/jobs")
    ada.wait_for(lambda m: "Your jobs" in m.text)
    assert bot.terminate() == 0
