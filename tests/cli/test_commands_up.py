"""What `atelier up` says: hints that can be pasted."""

from __future__ import annotations

import shlex
import subprocess

from cli import settings
from cli.commands import up


def test_the_hints_of_up_can_be_pasted(tmp_path, capsys):
    folder = tmp_path / "a b's"
    folder.mkdir()
    (folder / "key").write_text("atl_x\n")

    up._announce(folder, "http://127.0.0.1:1")
    hints = capsys.readouterr().out

    curl = next(line for line in hints.splitlines() if "curl" in line)
    shown = subprocess.run(
        ["bash", "-c", curl.replace("curl", "printf '%s\n'")], capture_output=True, text=True, check=True
    )
    assert "Authorization: Bearer atl_x" in shown.stdout.splitlines()
    command = shlex.split(next(line for line in hints.splitlines() if "run echo" in line))
    assert command[1:] == ["--data-dir", str(folder), "run", "echo", "--text", "hello"]


def test_the_usual_folder_needs_no_option():
    assert up.program(settings.data_dir()).split()[1:] == []
