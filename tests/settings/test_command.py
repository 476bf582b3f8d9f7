"""What a person types for a command to reach the bot of some settings."""

import shlex
from pathlib import Path

import pytest

from app.settings import load_settings


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Nothing of this machine's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_PROFILE", raising=False)


def test_the_default_profile_needs_no_more_than_the_command():
    assert load_settings().command("halt") == "python -m app halt"
    assert load_settings(None, ["risk.leverage_max=2"]).command("halt") == "python -m app halt"


def test_another_profile_is_named_whoever_chose_it(monkeypatch):
    assert load_settings("paper").command("halt") == "python -m app halt --profile paper"
    monkeypatch.setenv("APP_PROFILE", "paper")
    assert load_settings().command("halt") == "python -m app halt --profile paper"


def test_the_default_profile_is_named_where_the_environment_names_another(monkeypatch):
    monkeypatch.setenv("APP_PROFILE", "paper")
    assert load_settings("simulated").command("halt") == "python -m app halt --profile simulated"


def test_what_says_where_the_state_lies_is_said_again(monkeypatch):
    """From the environment, too: the shell of an emergency is another one."""
    monkeypatch.setenv("APP__STORAGE__FOLDER", "here")
    loaded = load_settings(None, ["account.id=second", "profile=other"])
    assert loaded.command("halt") == (
        f"python -m app halt --set profile=other --set account.id=second --set storage.folder={Path.cwd() / 'here'}"
    )


def test_the_same_words_reach_the_same_state_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "a b.toml").write_text('kind = "simulated"')
    said = load_settings("a b.toml", ["storage.folder=it's here"]).command("halt")
    monkeypatch.chdir("/")
    *_, profile, _, word = shlex.split(said)
    again = load_settings(profile, [word]).settings
    assert (again.profile, again.storage.folder) == ("a b", tmp_path / "it's here")


def test_no_password_is_said_and_no_other_bot_is_reached():
    words = ["storage.backend=postgres", "storage.url=postgresql://bot:secret@localhost/perps"]
    said = load_settings(None, words).command("halt")
    assert said == "python -m app halt --set storage.backend=postgres --set storage.url=URL"
