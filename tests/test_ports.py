"""Ports are held: by one process, until it ends."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests import ports

CHILD = """
import sys
from tests.ports import _held, own_port
port = own_port()
print(_held.take(int(sys.argv[1])), _held.take(port), port, flush=True)
sys.stdin.read()
"""


def test_each_is_given_once_and_nobody_listens_there():
    found = [ports.own_port() for _ in range(50)]
    assert len(set(found)) == 50
    for port in found:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_one_that_somebody_listens_on_is_not_given():
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        assert not ports._held.take(stranger.getsockname()[1])


def test_they_are_none_of_those_that_connections_are_made_from(monkeypatch, tmp_path):
    told = tmp_path / "range"
    monkeypatch.setattr(ports, "_EPHEMERAL", told)
    told.write_text("32768\t60999\n")
    assert ports._range() == (20_000, 32_768)
    told.write_text("1024\t65535\n")
    assert ports._range() == (20_000, 60_000), "there are no others"
    told.unlink()
    assert ports._range() == (20_000, 32_768)


def test_another_process_gets_others_until_the_first_ends():
    ours = ports.own_port()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(ours)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        got_ours, got_its_own_again, port = child.stdout.readline().split()
        assert (got_ours, got_its_own_again) == ("False", "False")
        assert not ports._held.take(int(port)), "it lives"
        child.kill()
        child.wait()
    assert ports._held.take(int(port))
