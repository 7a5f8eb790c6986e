"""`atelier keys`."""

from __future__ import annotations

import json

import pytest


def test_a_key_lives_from_creation_to_revocation(run):
    made = json.loads(run("keys", "create", "ann", "--name", "laptop", "--json").output)
    listed = json.loads(run("keys", "list", "--json").output)

    assert made["key"].startswith("atl_")
    assert [(key["id"], key["user_name"], key["revoked"]) for key in listed] == [(made["id"], "ann", False)]
    assert made["key"] not in run("keys", "list").output

    assert run("keys", "revoke", made["id"]).exit_code == 0
    assert json.loads(run("keys", "list", "--json").output)[0]["revoked"]
    again = run("keys", "revoke", made["id"])
    assert again.exit_code == 1
    assert "no such key" in again.output


@pytest.mark.parametrize("user", ["", "  ", "a\x1b[2J", "x" * 101])
def test_a_user_needs_a_name_as_in_the_api(run, user):
    result = run("keys", "create", user)

    assert result.exit_code == 2
    assert "USER" in result.output


def test_an_admin_key_is_described_as_what_it_is(run):
    text = " ".join(run("keys", "create", "--help").output.split())

    assert "read, list, cancel and delete everybody's jobs and files, and make and revoke keys" in text


def test_keys_before_there_is_a_database(run):
    assert "atelier migrate" in run("keys", "list").output
    assert run("migrate").exit_code == 0
    assert run("keys", "list").exit_code == 0


def test_a_pipe_gets_a_line_for_each_row(run):
    run("keys", "create", "a user with a long name" * 4, "--name", "and something to say about it" * 3)

    assert len(run("keys", "list").output.splitlines()) == 2
