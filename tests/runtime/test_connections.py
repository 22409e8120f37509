"""What a secret may hold where it becomes part of an address or a header: found at the start, not at the first call."""

import pytest

from sinchflow.errors import CannotStart
from sinchflow.expression.template import Templates
from sinchflow.language.check import Checker
from sinchflow.runtime.connections import Settings
from sinchflow.runtime.secrets import Secrets

PROJECT = """\
base_url: http://127.0.0.1:9
credentials: {api_key: "{{ secrets.KEY }}", api_secret: "{{ secrets.SECRET }}", auth: AUTH}
webhooks: {token: "{{ secrets.TOKEN }}", secret: "{{ secrets.HEADER }}"}
"""
SOUND = {"KEY": "key", "SECRET": "s3cret", "TOKEN": "dGhl+Y2F0._~-Q==", "HEADER": "h"}


@pytest.fixture
def start(tmp_path):
    """`start(NAME=value, …)`: the hooks and connections of a project with these secrets."""

    def started(auth: str = "basic", base: str = "http://127.0.0.1:9", **values: str):
        (tmp_path / "sinchflow.yaml").write_text(PROJECT.replace("AUTH", auth).replace("http://127.0.0.1:9", base))
        project = Checker().check(tmp_path).project
        settings = Settings(project, Secrets(SOUND | values), Templates(), {})
        return settings.hooks(), settings.connections()

    return started


def test_sound_ones_are_taken_as_they_are(start):
    hooks, connections = start()
    assert (hooks.token, hooks.secret) == ("dGhl+Y2F0._~-Q==", "h")
    assert connections["default"].peer == ("http://127.0.0.1:9", "key", "s3cret", "basic", None)
    assert start(KEY="schlüssel")[1]["default"].api_key == "schlüssel"


@pytest.mark.parametrize("token", ["a/b", "a b", "a%2Fb", "täst", "..", "a?b", "a\nb"])
def test_token_that_is_not_one_part_of_an_address(start, token):
    with pytest.raises(CannotStart, match=r"sinchflow.yaml:3:19: webhooks.token is one part of an address") as refused:
        start(TOKEN=token)
    assert token not in str(refused.value)


@pytest.mark.parametrize("name", SOUND)
def test_secret_that_is_empty(start, name):
    with pytest.raises(CannotStart, match=r"sinchflow.yaml:\d:\d+: \w+ is empty"):
        start(**{name: " "})


@pytest.mark.parametrize("key", ["schlüssel", 'a"b', "a\nb"])
def test_key_that_no_hmac_header_can_hold(start, key):
    with pytest.raises(CannotStart, match=r"sinchflow.yaml:2:24: this api_key cannot be one of the kind HMAC"):
        start("hmac", KEY=key)


def test_login_in_an_address_is_refused_and_not_told(start):
    with pytest.raises(CannotStart, match=r"sinchflow.yaml:1:11: base_url holds a login") as refused:
        start(base="http://me:hunter2@127.0.0.1:9/x")
    assert "hunter2" not in str(refused.value)
    assert start(base="http://127.0.0.1:9/x@y")[1]["default"].base_url == "http://127.0.0.1:9/x@y"
