"""What routing has to say of events is stored with them, and a plain reply costs no row more."""

import pytest

ASK = """\
name: ask
on: {inbound_sms: {keyword: VISIT}}
steps:
  - reply: Y or N?
  - wait_for_reply: {timeout: 1h, categories: {good: {answer: yes}}, otherwise: {reply: "Y or N, please.", attempts: 1}}
"""
HOURS = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nthrottle: {max: 1, per: 1h}\nsteps: [{reply: Open.}]\n"
VIP = "name: vip\non: {inbound_sms: {keyword: VIP}}\nif: contact.is_vip | default(false)\nsteps: [{reply: Hi.}]\n"
HOLE = 'name: hole\non: {inbound_sms: {keyword: HOLE}}\nif: event.metadata.tier == "gold"\nsteps: [{reply: Hi.}]\n'
SINGLE = """\
name: single
on: {inbound_sms: {keyword: SLOW}}
concurrency: {mode: single}
steps: [{delay: 1h}]
"""
ANY = "name: any\non: inbound_sms\nif: false\nsteps: [{reply: Hi.}]\n"


@pytest.mark.parametrize(
    ("flow", "texts", "expected"),
    [
        (HOURS, ["HOURS"], None),
        (HOURS, ["nothing of that kind"], None),
        (HOURS + "---\n" + ANY, ["HOURS"], None),  # somebody took it: no word of others
        (ASK, ["VISIT", "yes"], {"outcome": "wait", "category": "good"}),
        (ASK, ["VISIT", "purple"], {"outcome": "wait", "category": None}),
        (HOURS, ["HOURS", "HOURS"], {"outcome": "refused", "flow": "hours", "reason": "throttled"}),
        (SINGLE, ["SLOW", "SLOW"], {"outcome": "refused", "flow": "single"}),
        (VIP, ["VIP"], {"outcome": "near", "flow": "vip"}),
        (HOLE, ["HOLE"], {"outcome": "near", "flow": "hole"}),
        (HOURS, ["STOP"], {"outcome": "policy", "word": "opt_out"}),
        (HOURS, ["STOP", "STOP"], {"outcome": "policy", "word": "opt_out", "again": True}),
    ],
)
def test_note_of_the_last_event(house, play, eventually, flow, texts, expected):
    house.flow(flow)

    async def scenario(house):
        routed = []
        house.daemon.worker.on_routed.append(lambda event, *_: routed.append(event.id))
        house.daemon.worker.on_answered.append(lambda event, _: routed.append(event.id))
        for count, text in enumerate(texts, 1):
            await house.text_in(text)
            await eventually(lambda count=count: len(routed) >= count)
            await eventually(lambda: house.daemon.worker.is_idle)
        await house.daemon.worker._commits.drain()
        note = house.daemon.journal.note(routed[-1])
        if expected is None:
            assert note is None
            return
        assert {name: note.get(name) for name in expected} == expected
        if expected.get("reason") == "throttled":
            assert note["refused"][0]["until"] > "2026"
        if expected.get("flow") == "hole":
            assert "flows/flow.yaml:3:5" in note["near"][0]["reason"]

    play(scenario)
