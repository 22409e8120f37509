"""What `why` answers, for each reason that a customer hears nothing, and for each kind of thing to be asked about."""

from datetime import UTC, datetime

import pytest

from sinchflow.simulate.faults import Fault

CONTACT = "+61491570156"
LAST = "their last message ("
HOURS = """\
name: hours
on: {inbound_sms: {keyword: [HOURS, OPEN]}}
throttle: {max: 1, per: 1h}
steps: [{reply: We are open.}]
"""
VIP = "name: vip\non: {inbound_sms: {keyword: VIP}}\nif: contact.is_vip | default(false)\nsteps: [{reply: Hi.}]\n"
SLOW = (
    "name: slow\non: {inbound_sms: {keyword: SLOW}}\nconcurrency: {mode: single}\nsteps: [{delay: 1h}, {reply: Hi.}]\n"
)
ASK = """\
name: ask
on: {inbound_sms: {keyword: VISIT}}
steps:
  - reply: Y or N?
  - wait_for_reply: {timeout: 1h, categories: {good: {answer: yes}}}
"""
FAILS = "name: fails\non: {inbound_sms: {keyword: FAIL}}\nsteps: [{fail: no luck}]\n"
OFF = "name: hours-old\nenabled: false\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: Old.}]\n"
HELD = "name: held\non: {inbound_sms: {keyword: HELD}}\nsteps: [{reply: {message: Hi., on_unknown: hold}}]\n"
ANY = "name: any\non: inbound_sms\nsteps: [{log: x}]\n"


async def asked(house, about):
    answer = await house.admin(f"/api/why?about={about.replace('+', '%2B')}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def texted(house, eventually, *texts):
    """The texts, one after the other; the id of the last one's event."""
    routed: list[int] = []
    worker = house.daemon.worker
    worker.on_routed.append(lambda event, *_: routed.append(event.id))
    worker.on_answered.append(lambda event, _: routed.append(event.id))
    for count, text in enumerate(texts, 1):
        await house.text_in(text)
        await eventually(lambda count=count: len(routed) >= count)
        await eventually(lambda: worker.is_idle)
    await worker._commits.drain()
    return routed[-1]


def quiet_now():
    """Quiet hours that hold for twelve hours from half an hour ago on."""
    minute = datetime.now(UTC).hour * 60 + datetime.now(UTC).minute
    begin, end = (minute - 30) % 1440, (minute + 690) % 1440
    return f"{{from: {begin // 60:02}:{begin % 60:02}, to: {end // 60:02}:{end % 60:02}, action: defer}}"


@pytest.mark.parametrize(
    ("flow", "texts", "settings", "event_says", "person_says"),
    [
        (HOURS, ["HOURS"], {}, "it started hours (run ", "nothing keeps messages from +61491570156: the last one, of "),
        (HOURS, ["HOUR"], {}, "no flow took it: of each, a filter does not fit", LAST),
        (HOURS, ["HOURS", "HOURS"], {}, "flow hours matched and did not begin: throttled until ", LAST),
        (VIP, ["VIP"], {}, "flow vip: its filters fit, and `if` is false: contact.is_vip", LAST),
        (SLOW, ["SLOW", "SLOW"], {}, "flow slow matched and did not begin: refused: single", LAST),
        (HOURS, ["STOP"], {}, "policy took it: its words are an opt-out", "+61491570156 has opted out: since "),
        (HOURS, ["STOP", "HOURS"], {}, "it started hours (run ", "+61491570156 has opted out: since "),
        (ASK, ["VISIT", "yes"], {}, 'of flow ask waited for an answer, and took it as its "good"', LAST),
        (FAILS, ["FAIL"], {}, "it started fails (run ", LAST),
        (OFF, ["HOURS"], {}, "no flow took it", LAST),
        (
            HOURS, ["HOURS"], {"policy": "{max_sends_per_contact: {max: 1, per: 1h}}"},
            "it started hours (run ", "lets nothing through to +61491570156 right now: 1 messages to this contact",
        ),
        (
            HOURS, ["HOURS"], {"policy": "{allowed_countries: [NZ]}"},
            "it started hours (run ", "lets nothing through to +61491570156 right now: the number is in AU",
        ),
        (HOURS, ["HOURS"], {"policy": "{max_sends_per_day: 1}"}, "it started", "right now: 1 messages today"),
    ],
)  # fmt: skip
def test_silence_is_explained(house, play, eventually, flow, texts, settings, event_says, person_says):
    house.flow(flow)

    async def scenario(house):
        event = await texted(house, eventually, *texts)
        told = await asked(house, str(event))
        assert event_says in told["answer"]
        assert told["event"]["text"] == texts[-1]
        person = await asked(house, CONTACT)
        assert person_says in person["answer"]
        if person_says == LAST:
            assert event_says in person["answer"]
        assert [each["text"] for each in person["timeline"] if each["what"] == "event"] == texts

    play(scenario, **settings)


def test_quiet_hours_are_named_with_their_end(house, play, eventually):
    house.flow(f'name: news\non: manual\ncontact: "{CONTACT}"\nsteps: [{{reply: News}}]\n')

    async def scenario(house):
        await house.admin("/api/flows/news/start", "POST")
        await eventually(lambda: house.daemon.stats.sends["deferred"])
        await house.daemon.worker._commits.drain()
        told = await asked(house, CONTACT)
        assert told["answer"].startswith(f"policy lets nothing through to {CONTACT} right now: quiet hours ")
        assert ", until " in told["answer"]
        assert "is put off until " in " ".join(told["because"])

    play(scenario, policy=f"{{quiet_hours: {quiet_now()}}}")


def test_pause_and_the_message_behind_it_are_named(house, play, eventually):
    house.flow(HOURS)

    async def scenario(house):
        await house.admin("/api/pause", "POST", json={"reason": "wrong price", "by": "ann"})
        await house.text_in("HOURS")
        await eventually(lambda: house.daemon.worker.open_runs)
        await house.daemon.worker._commits.drain()
        told = await asked(house, CONTACT)
        assert told["answer"].startswith("sends are paused since ")
        assert told["answer"].endswith("by ann: wrong price")
        assert "waits for its turn" in told["because"][0]

    play(scenario)


def test_held_message_is_named_with_its_reason(house, play, eventually):
    house.flow(HELD)

    async def scenario(house):
        house.sim.fail_next(Fault(kind="reset"))
        await house.text_in("HELD")
        [send] = await eventually(lambda: house.daemon.journal.sends(("held",), 1))
        told = await asked(house, CONTACT)
        assert told["answer"].startswith(f"message {send.id} is held and waits for a person: outcome unknown")
        told = await asked(house, str(send.id))
        assert told["answer"].startswith(f"message {send.id} to {CONTACT} is held")
        assert told["because"][0].startswith(f"run {send.run} of flow held asked for it; that is open")

    play(scenario)


def test_whatever_has_an_id_can_be_asked_about(house, play, eventually):
    house.flow(ASK)
    house.flow("name: done\non: {delivery_receipt: {flow: ask}}\nsteps: [{log: done}]\n", "done.yaml")

    async def scenario(house):
        event = await texted(house, eventually, "VISIT")
        [send] = house.daemon.journal.sends((), 1)
        run = await asked(house, str(send.run))
        assert run["answer"] == f"run {send.run} of flow ask is open"
        assert run["because"][0].startswith(f'it began with event {event}, inbound_sms of {CONTACT} "VISIT"')
        assert any("waits for" in each for each in run["because"])
        assert run["more"] == f"sinchflow runs show {send.run}"
        assert (await asked(house, send.message_id))["sends"][0]["id"] == send.id
        body = {
            "delivery_report_id": "report-77", "message_id": send.message_id, "status": "delivered",
            "source_address": CONTACT, "destination_address": "+61491593156",
            "metadata": {"sinchflow_id": house.sim.messages[0].metadata["sinchflow_id"]},
        }  # fmt: skip
        assert (await house.post(body, path=f"/hooks/{'hook-token-of-the-test'}/receipts")).status_code == 202
        await eventually(lambda: house.daemon.stats.runs_ended["completed"])
        receipt = await asked(house, "report-77")
        assert "it started done (run " in receipt["answer"]
        assert f"it is about a message of run {send.run} (flow ask, step 0)" in receipt["because"]

    play(scenario)


def test_flows_are_listed_in_their_turn(house, play, eventually):
    house.flow("---\n".join([HOURS, OFF, ANY, VIP]))

    async def scenario(house):
        event = await texted(house, eventually, "HOURS")
        told = await asked(house, str(event))
        assert [(each["flow"], each["verdict"]) for each in told["flows"]] == [
            ("hours", "takes"), ("hours-old", "off"), ("vip", "no"), ("any", "late"),
        ]  # fmt: skip
        assert told["flows"][2]["reason"] == 'keyword: the first word is "HOURS", wanted VIP'

    play(scenario)


@pytest.mark.parametrize("about", ["999999", "no-such-id-anywhere", "x y", "0491 57"])
def test_what_nobody_knows_is_said_to_be_so(house, play, about):
    async def scenario(house):
        answer = await house.admin(f"/api/why?about={about}")
        assert answer.status_code == 404
        assert about in answer.json()["error"]

    play(scenario)


def test_number_of_somebody_who_never_wrote(house, play):
    async def scenario(house):
        assert (await asked(house, "+61491570999"))["answer"] == "nothing is known of +61491570999"

    play(scenario)
