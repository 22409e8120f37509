"""Edits while the daemon works: all or nothing, and loudly when nothing."""

import asyncio
import shutil

import pytest

from sinchflow.errors import CannotStart
from sinchflow.runtime.reload import Loader

CONTACT = "+61491570156"
GREET = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"
BROKEN = GREET.replace("reply", "replay")


async def says(house, eventually, text, content="HI") -> None:
    """The next answer is this text."""
    count = len(house.sim.messages)
    await house.text_in(content)
    await eventually(lambda: len(house.sim.messages) > count)
    assert house.got()[-1] == (CONTACT, text)


async def reloaded(house, eventually, outcome="done", count=1) -> None:
    await eventually(lambda: house.daemon.stats.reloads[outcome] >= count)


def test_edit_swaps_by_itself(play, house, eventually):
    file = house.flow(GREET)

    async def scenario(house):
        await says(house, eventually, "Hello.")
        file.write_text(GREET.replace("Hello", "Good day"))
        await reloaded(house, eventually)
        await says(house, eventually, "Good day.")

    play(scenario)


def test_broken_file_keeps_every_old_flow_loudly_until_it_is_mended(play, house, eventually, capsys):
    file = house.flow(GREET)

    async def scenario(house):
        house.flow(GREET.replace("HI", "YO").replace("greet", "yo"), "yo.yaml")
        await reloaded(house, eventually)
        house.flow(GREET.replace("HI", "YO").replace("greet", "yo").replace("Hello", "Never"), "yo.yaml")
        file.write_text(BROKEN)
        assert "replay" in await house.daemon.reload()
        await says(house, eventually, "Hello.")
        await says(house, eventually, "Hello.", "YO")
        health = await house.health()
        assert health["status"] == "red"
        assert 'unknown key "replay"' in health["troubles"]["reload"]
        assert (await house.admin("/ready")).status_code == 200
        metrics = (await house.admin("/metrics")).text
        assert 'sinchflow_trouble{subject="reload"} 1.0' in metrics
        refused = await house.admin("/api/reload", "POST")
        assert (refused.status_code, "replay" in refused.json()["error"]) == (409, True)
        file.write_text(GREET.replace("Hello", "Mended"))
        assert await house.daemon.reload() is None
        await says(house, eventually, "Mended.")
        await says(house, eventually, "Never.", "YO")
        assert (await house.health()) == {"status": "green", "troubles": {}, "flows": 2}

    play(scenario)
    assert "reload refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "flows/x.yaml").write_bytes(b"\xff\xfe\x00name"),
        lambda root: (root / "flows/x.yaml").mkdir(),
        lambda root: (root / "flows/x.yaml").symlink_to("nowhere"),
        lambda root: (root / "flows/x.yaml").write_text("[" * 10_000),
        lambda root: (root / "flows/x.yaml").write_text("&a [*a]"),
        lambda root: (root / "sinchflow.yaml").write_text("limits: 5\n"),
        lambda root: (root / "sinchflow.yaml").unlink(),
        lambda root: (root / "flows/x.yaml").write_text(GREET),
        lambda root: (root / "flows/x.yaml").write_text(
            "name: s\non: manual\nsteps: [{http: {url: 'https://{{ secrets.NOT_THERE }}'}}]\n"
        ),
    ],
)
def test_whatever_is_wrong_with_the_files_the_old_ones_stay(play, house, eventually, spoil):
    house.flow(GREET)

    async def scenario(house):
        spoil(house.root)
        await house.daemon.reload()
        await says(house, eventually, "Hello.")
        house.flow(GREET.replace("Hello", "Still here"))
        shutil.rmtree(house.root / "flows/x.yaml", ignore_errors=True)
        (house.root / "flows/x.yaml").unlink(missing_ok=True)
        house.settings()
        await eventually(lambda: not house.daemon.stats.troubles)
        assert await house.daemon.reload() is None
        await says(house, eventually, "Still here.")

    play(scenario)


def test_credentials_folder_that_is_gone_refuses_the_reload_and_keeps_watching(play, house, eventually, monkeypatch):
    house.flow(GREET)

    async def scenario(house):
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(house.root / "gone"))
        assert "CREDENTIALS_DIRECTORY" in await house.daemon.reload()
        house.flow(GREET.replace("Hello", "Not yet"))
        await reloaded(house, eventually, "refused", 2)
        (house.root / "gone").mkdir()
        (house.root / "gone" / "NOT_TEXT").write_bytes(b"\xff")
        assert "NOT_TEXT" in await house.daemon.reload()
        (house.root / "gone" / "NOT_TEXT").unlink()
        house.flow(GREET.replace("Hello", "Good again"))
        await reloaded(house, eventually)
        await says(house, eventually, "Good again.")

    play(scenario)


def test_flows_folder_may_come_and_go(play, house, eventually):
    (house.root / "flows").rmdir()

    async def scenario(house):
        for text in ("First", "Second"):
            (house.root / "flows").mkdir()
            house.flow(GREET.replace("Hello", text), "deep/down/greet.yaml")
            await eventually(lambda: "greet" in house.daemon.worker.catalog.flows)
            await eventually(lambda: not house.daemon.stats.troubles)
            await says(house, eventually, f"{text}.")
            shutil.rmtree(house.root / "flows")
            await eventually(lambda: not house.daemon.worker.catalog.flows)

    play(scenario)


def test_project_folder_that_is_gone_is_refused_once_and_found_again(play, house, eventually, monkeypatch):
    monkeypatch.setattr("sinchflow.runtime.reload._GONE_S", 0.05)
    house.flow(GREET)

    async def scenario(house):
        root, aside = house.root, house.root.with_name("aside")
        root.rename(aside)
        await reloaded(house, eventually, "refused")
        assert "there is no project folder" in house.daemon.stats.troubles["reload"]
        await asyncio.sleep(0.5)  # a loop that spins would refuse it hundreds of times
        assert house.daemon.stats.reloads["refused"] <= 2
        aside.rename(root)
        house.flow(GREET.replace("Hello", "Back"))
        await reloaded(house, eventually)
        await says(house, eventually, "Back.")

    play(scenario)


def test_whole_project_file_swaps(play, house, eventually):
    house.flow("name: zone\non: inbound_sms\nsteps: [{reply: \"{{ now() | local('%Z') }}\"}]\n")

    async def scenario(house):
        await says(house, eventually, "UTC")
        house.settings(
            webhooks="{token: another-token-of-the-test}",
            timezone="Australia/Brisbane",
            limits="{calls: 7, per: 1h, batch: 3}",
            policy="{max_sends_per_contact: {max: 2, per: 1h}}",
        )
        assert await house.daemon.reload() is None
        body = {"reply_id": "n1", "source_address": CONTACT, "destination_address": "+61491593156", "content": "x"}
        assert (await house.post(body)).status_code == 404
        for reply_id in ("n1", "n2", "n3"):
            answer = await house.post({**body, "reply_id": reply_id}, path="/hooks/another-token-of-the-test/inbound")
            assert answer.status_code == 202
        await eventually(lambda: house.daemon.stats.sends["skipped"])
        await eventually(lambda: house.daemon.worker.is_idle)
        assert {text for _, text in house.got()[1:]} == {"AEST"}
        assert len(house.got()) == 3
        assert house.daemon._accounts.outbox("default")._window.limits.calls == 7

    play(scenario)


def test_right_credentials_release_what_a_refused_key_held(play, house, eventually, tmp_path, monkeypatch):
    house.flow(GREET)
    secret = tmp_path / "credentials" / "API_SECRET"
    secret.parent.mkdir()
    secret.write_text("wrong\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))

    async def scenario(house):
        await house.text_in("HI")

        async def is_held():
            return await house.states() == {CONTACT: "held"}

        await eventually(is_held)
        answer = await house.admin("/health")
        assert answer.status_code == 503
        assert "401" in answer.json()["troubles"]["provider"]
        assert (await house.admin("/ready")).status_code == 200
        await house.text_in("HI", "+61491570157")
        secret.write_text("s3cret\n")
        assert await house.daemon.reload() is None
        await eventually(lambda: len(house.sim.messages) == 2)
        await eventually(lambda: house.daemon.worker.open_runs == 0)
        assert (await house.health())["status"] == "green"

    play(scenario, credentials='{api_key: key, api_secret: "{{ secrets.API_SECRET }}"}')


def test_wrong_edit_of_the_credentials_keeps_sending_with_the_old_ones(play, house, eventually):
    house.flow(GREET)

    async def scenario(house):
        house.settings(credentials="{api_key: key}")
        assert "api_secret" in await house.daemon.reload()
        await says(house, eventually, "Hello.")

    play(scenario)


def test_messages_during_reloads_are_all_answered(play, house, eventually):
    file = house.flow(GREET)

    async def scenario(house):
        async def edits():
            for number in range(5):
                file.write_text(GREET.replace("Hello", f"Hello {number}"))
                assert await house.daemon.reload() is None

        editing = asyncio.create_task(edits())
        for number in range(40):
            await house.text_in("HI", f"+6149157{number:04}")
        await editing
        await eventually(lambda: len(house.sim.messages) == 40)
        assert len({to for to, _ in house.got()}) == 40

    play(scenario)


VIPS = """\
name: vips
on: {inbound_sms: {keyword: HI, from: {list: vip}}}
steps:
  - reply: "You are {{ lists.vip[0].name }}."
"""
WITH_LIST = {"country": "AU", "lists": "{vip: data/new/vip.csv}"}


def list_file(house, *rows: str) -> None:
    file = house.root / "data/new/vip.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("number,name", *rows, "")))


@pytest.mark.parametrize("where", ["data/new/vip.csv", "vip.csv", "flows/vip.csv", "../outside/vip.csv"])
def test_edit_of_a_list_swaps_by_itself_wherever_it_lies(play, house, eventually, where):
    file = house.root / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("number,name\n0491 570 156,Joe\n")
    house.flow(VIPS)

    async def scenario(house):
        await says(house, eventually, "You are Joe.")
        file.write_text("number,name\n0491 570 156,Ann\n")
        await reloaded(house, eventually)
        await says(house, eventually, "You are Ann.")

    play(scenario, country="AU", lists=f"{{vip: {where}}}")


def test_folder_of_a_list_may_come_later(play, house, eventually):
    house.flow(GREET)

    async def scenario(house):
        house.flow(VIPS)
        house.settings(**WITH_LIST)
        await reloaded(house, eventually, "refused")
        assert 'there is no file "data/new/vip.csv"' in house.daemon.stats.troubles["reload"]
        await says(house, eventually, "Hello.")
        list_file(house, "0491 570 156,Joe")
        await reloaded(house, eventually)
        await says(house, eventually, "You are Joe.")

    play(scenario)


def test_bad_row_keeps_the_old_list_loudly(play, house, eventually):
    list_file(house, "0491 570 156,Joe")
    house.flow(VIPS)

    async def scenario(house):
        list_file(house, "0491 570 156,Ann", "what,Bob")
        await reloaded(house, eventually, "refused")
        assert 'data/new/vip.csv:3:1: "what" is no telephone number' in house.daemon.stats.troubles["reload"]
        await says(house, eventually, "You are Joe.")
        list_file(house, "0491 570 156,Ann")
        await reloaded(house, eventually)
        await says(house, eventually, "You are Ann.")

    play(scenario, **WITH_LIST)


def test_change_of_a_list_is_news_once_also_while_the_settings_are_broken(house):
    list_file(house, "0491 570 156,Joe")
    house.settings(**WITH_LIST)
    loader = Loader(house.root, lambda _: None)
    loader.load()
    list_file(house, "0491 570 156,Ann")
    assert loader.has_news()
    house.settings(limits="5", **WITH_LIST)
    list_file(house, "0491 570 156,Anna")
    with pytest.raises(CannotStart, match="limits"):
        loader.load()
    assert not loader.has_news()
    list_file(house, "0491 570 156,Joanna")
    assert loader.has_news()
