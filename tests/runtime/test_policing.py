"""Opt-outs, opt-ins and help words, suppression and what is remembered of people, in a daemon at work."""

import pytest

CONTACT = "+61491570156"
OTHER = "+61491570157"
HI = "name: hi\non: inbound_sms\nsteps: [{reply: hi}]\n"
LEFT = "name: left\non: opt_out\nsteps: [{log: bye}, {set: {text: '{{ event.content }}'}}]\n"
POLICY = """\
{max_sends_per_contact: off, opt_out: {reply: You are out.}, opt_in: {reply: Welcome back.}, help: {reply: Call us.}}"""


async def says(house, eventually, *texts, sender=CONTACT):
    for text in texts:
        await house.text_in(text, sender)
        await eventually(lambda: house.daemon.worker.is_idle)


def said(house, sender=CONTACT):
    return [text for to, text in house.got() if to == sender]


TALKS = {
    "stop": (["hello", "Stop.", "hello"], ["hi", "You are out."]),
    "in a sentence": (["Stop by at 5?", "can you help me with my order"], ["hi", "hi"]),
    "back again": (["STOP ALL", "start", "hello"], ["You are out.", "Welcome back.", "hi"]),
    "start alone": (["start"], ["hi"]),
    "help": (["HELP"], ["Call us."]),
    "twice": (["stop", "unsubscribe me please"], ["You are out."]),
    "out, in and out": (["stop", "start", "stop"], ["You are out.", "Welcome back.", "You are out."]),
}


@pytest.mark.parametrize("name", TALKS)
def test_words_of_policy(name, play, house, eventually):
    texts, expected = TALKS[name]
    house.flow(HI, "hi.yaml")

    async def scenario(house):
        await says(house, eventually, *texts)
        assert said(house) == expected
        await says(house, eventually, "hello", sender=OTHER)
        assert said(house, OTHER) == ["hi"]

    play(scenario, policy=POLICY)


def test_message_to_somebody_who_opted_out_is_shown_with_its_reason(play, house, eventually):
    house.flow(HI, "hi.yaml")
    to = f"['{CONTACT}', '{OTHER}']"
    house.flow(f"name: all\non: manual\nsteps: [{{id: s, send_sms: {{to: {to}, message: News}}}}]\n", "a.yaml")

    async def scenario(house):
        await says(house, eventually, "stop")
        started = []
        house.daemon.worker.start(house.daemon.worker.catalog.flows["all"], {}, started.append)
        await eventually(lambda: started)
        await eventually(lambda: house.daemon.worker.is_idle)
        assert (await house.states()) == {CONTACT: "skipped", OTHER: "sent"}
        assert "opted out" in next(each["reason"] for each in await house.sends("skipped"))

    play(scenario)


def test_one_opt_out_whatever_its_sources(play, house, eventually):
    house.flow(LEFT, "left.yaml")

    async def scenario(house):
        await says(house, eventually, "stop", "STOP")
        body = {"notification_id": "n1", "source_address": CONTACT, "destination_address": "+61491593156"}
        answer = await house.post(body, path="/hooks/hook-token-of-the-test/opt-outs")
        assert answer.status_code == 202
        await eventually(lambda: house.daemon.worker.is_idle)
        runs = house.daemon.worker._journal.runs_of(CONTACT, 10)
        assert [run.vars for run in runs if run.flow == "left"] == [{"text": "stop"}]

    play(scenario)


def test_operators_opt_out_starts_flows_too(play, house, eventually):
    house.flow(LEFT, "left.yaml")

    async def scenario(house):
        for is_new in (True, False):
            answer = await house.admin(f"/api/contacts/{CONTACT}/suppress", "POST")
            assert answer.json() == {"number": CONTACT, "is_suppressed": True, "is_new": is_new}
        await says(house, eventually, "stop")
        about = (await house.admin(f"/api/contacts/{CONTACT}")).json()
        assert about["suppressed"]["source"] == "operator"
        assert [run["flow"] for run in about["runs"]].count("left") == 1
        assert (await house.admin(f"/api/contacts/{CONTACT}/allow", "POST")).json()["is_new"]
        assert (await house.admin(f"/api/contacts/{CONTACT}")).json()["suppressed"] is None

    play(scenario)


ORDER = """\
name: order
on: {inbound_sms: {keyword: ORDER}}
steps:
  - remember: {dish: "{{ match.rest }}"}
  - http: {method: POST, url: "URL", json: {dish: "{{ match.rest }}"}}
  - reply: "We cook {{ match.rest }}."
---
name: ask
on: {inbound_sms: {keyword: ASK}}
steps:
  - reply: "Marmalade?"
  - wait_for_reply: {timeout: 1d}
"""


def test_forgetting_ends_what_is_under_way_and_leaves_no_byte(play, house, eventually, answering):
    async def scenario(house):
        async with answering("hang") as url:
            house.flow(ORDER.replace("URL", url.url))
            assert await house.daemon.reload() is None
            await house.text_in("ASK", OTHER)
            await house.text_in("ASK me about tulips")
            await house.text_in("ORDER marmalade")
            await eventually(lambda: url.requests)
            await house.text_in("ORDER walnuts")  # waits for its turn, and begins a run once that of before is over
            answer = await house.admin(f"/api/contacts/{CONTACT}/forget", "POST")
            assert answer.status_code == 200, answer.text
            assert (answer.json()["cancelled"], answer.json()["left"]) == (3, [])
            worker = house.daemon.worker
            assert not worker.people.facts(CONTACT).keys() - {"number"}
            await eventually(lambda: worker.open_runs == 1)
            found = (await house.admin(f"/api/contacts/{CONTACT}")).json()
            assert (found["values"], found["runs"], found["suppressed"]) == ({}, [], None)
            files = [each for each in (house.root / ".sinchflow").iterdir() if each.name.startswith("journal")]
            for secret in (CONTACT[1:].encode(), b"tulips", b"marmalade", b"walnuts"):
                assert [file.name for file in files if secret in file.read_bytes()] == []
            await says(house, eventually, "yes", sender=OTHER)  # goes on as if nothing had been
            assert worker.open_runs == 0

    play(scenario)


def test_provider_knows_of_it_and_tells_us_of_others(house, scene, eventually):
    house.flow(HI, "hi.yaml")

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "stop")
            await eventually(lambda: CONTACT in house.sim.account().opted_out)
            body = {"notification_id": "n9", "source_address": OTHER, "destination_address": "+61491593156"}
            await house.post(body, path="/hooks/hook-token-of-the-test/opt-outs")
            await eventually(lambda: house.daemon.worker.people.is_suppressed(OTHER))
        async with house.at_work():
            await says(house, eventually, "hello")
            await says(house, eventually, "hello", sender=OTHER)
            assert house.got() == []
            await says(house, eventually, "start")
            await eventually(lambda: CONTACT not in house.sim.account().opted_out)

    scene(scenario)


def test_steps_keep_our_list_in_step(play, house, eventually):
    house.flow(
        "name: out\non: {inbound_sms: {keyword: OUT}}\nsteps: [{opt_out: }, {id: s, reply: never}, "
        "{log: '{{ steps.s.skipped[0].reason }}'}, {opt_in: }, {reply: again}]\n"
    )

    async def scenario(house):
        await says(house, eventually, "out")
        assert said(house) == ["again"]
        assert not house.daemon.worker.people.is_suppressed(CONTACT)

    play(scenario)


def test_message_in_the_queue_does_not_leave_after_an_opt_out(play, house, eventually):
    house.flow(HI, "hi.yaml")

    async def scenario(house):
        await says(house, eventually, "one", sender=OTHER)  # uses up the throttle
        await house.text_in("hello")
        await eventually(lambda: len(house.daemon.worker._runs) == 1)
        await house.post(
            {"notification_id": "n1", "source_address": CONTACT, "destination_address": "+61491593156"},
            path="/hooks/hook-token-of-the-test/opt-outs",
        )
        house.daemon.worker.people.suppress(CONTACT, "operator", house.daemon.worker._clock.now())
        house.settings(limits="{calls: off}")
        assert await house.daemon.reload() is None
        await eventually(lambda: not len(house.daemon.worker._runs))
        assert said(house) == []
        [send] = await house.sends("skipped")
        assert send["reason"] == "this contact opted out before the message could leave"

    play(scenario, limits="{calls: 1, per: 1h}")


REMEMBER = """\
name: name
on: {inbound_sms: {keyword: NAME}}
steps:
  - remember: {first_name: "{{ match.rest }}", language: de}
  - reply: {en: "Hello {{ contact.first_name }}", de: "Hallo {{ contact.first_name }}"}
---
name: who
on: {inbound_sms: {keyword: WHO}}
steps:
  - reply:
      en: "{{ contact.first_name | default('nobody') }}"
      de: "du bist {{ contact.first_name | default('niemand') }}"
---
name: forget
on: {inbound_sms: {keyword: FORGET}}
steps:
  - remember: {first_name: null, language: null}
---
name: about
on: manual
contact: "+61491570156"
steps:
  - reply: "known as {{ contact.first_name | default('nobody') }}"
"""


def test_what_is_remembered_is_known_to_later_runs_and_after_a_restart(house, scene, eventually):
    house.flow(REMEMBER)

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "WHO", "NAME Bo", "WHO")
            await says(house, eventually, "WHO", sender=OTHER)
        async with house.at_work():
            await says(house, eventually, "WHO")
            started = []
            house.daemon.worker.start(house.daemon.worker.catalog.flows["about"], {}, started.append)
            await eventually(lambda: started)
            await eventually(lambda: house.daemon.worker.is_idle)
            await says(house, eventually, "FORGET", "WHO")
        assert said(house) == ["nobody", "Hallo Bo", "du bist Bo", "du bist Bo", "known as Bo", "nobody"]
        assert said(house, OTHER) == ["nobody"]

    scene(scenario)


def test_quiet_hours_go_by_the_contacts_time_zone(play, house, eventually):
    """Somewhere it is always night: one of two zones twelve hours apart is quiet."""
    house.flow(
        "name: zone\non: {inbound_sms: {keyword: ZONE}}\nsteps: [{remember: {timezone: '{{ match.rest }}'}}]\n---\n"
        "name: news\non: manual\ninputs: {to: {type: phone}}\n"
        "steps: [{send_sms: {to: '{{ inputs.to }}', message: News}}]\n"
    )

    async def scenario(house):
        worker = house.daemon.worker
        for number, zone in ((CONTACT, "Etc/GMT+6"), (OTHER, "Etc/GMT-6")):
            worker.people.remember(number, {"timezone": zone}, worker._clock.now())
            started = []
            worker.start(worker.catalog.flows["news"], {"to": number}, started.append)
            await eventually(lambda: started)  # noqa: B023
        await eventually(lambda: worker.is_idle)
        assert sorted((await house.states()).values()) == ["deferred", "sent"]

    play(scenario, policy=_half_a_day())


def _half_a_day() -> str:
    from datetime import UTC, datetime, timedelta

    # In one of the zones it is now 6 hours later than in UTC, in the other 6 hours earlier.
    begin = datetime.now(UTC).replace(minute=0)
    end = begin + timedelta(hours=12)
    return f"{{max_sends_per_contact: off, quiet_hours: {{from: {begin:%H:%M}, to: {end:%H:%M}}}}}"
