"""Waits for answers and receipts in a daemon at work: who gets a message, and what restarts and edits leave of them."""

import pytest

from sinchflow.simulate.faults import Fault

CONTACT = "+61491570156"
OTHER = "+61491570157"
ASK = """\
name: ask
on: {inbound_sms: {keyword: BOOK}}
steps:
  - reply: "Y or N?"
  - id: answer
    wait_for_reply:
      timeout: 1h
      categories:
        confirmed: {answer: yes}
        change: {answer: [no, "can't come"]}
      otherwise: {reply: "Sorry, Y or N?", attempts: 1}
  - reply: "got {{ steps.answer.category }}"
"""
HOURS = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: We are open.}]\n"
ANY = "name: any\non: inbound_sms\nsteps: [{reply: We call you.}]\n"


async def says(house, eventually, text, *expected, sender=CONTACT):
    """The contact says something, and gets these messages back."""
    before = len(house.got())
    await house.text_in(text, sender)
    await eventually(lambda: len(house.got()) >= before + len(expected))
    await eventually(lambda: house.daemon.worker.is_idle)
    assert [said for to, said in house.got()[before:] if to == sender] == list(expected)


CONVERSATIONS = {
    "the answer fits": [("BOOK", "Y or N?"), ("Yep, thanks!", "got confirmed"), ("BOOK", "Y or N?")],
    "own words": [("BOOK", "Y or N?"), ("Can't come", "got change")],
    "asked again": [("BOOK", "Y or N?"), ("perhaps", "Sorry, Y or N?"), ("yes", "got confirmed")],
    "given up": [("BOOK", "Y or N?"), ("perhaps", "Sorry, Y or N?"), ("dunno", "got other")],
    "a keyword goes before otherwise": [("BOOK", "Y or N?"), ("HOURS", "We are open."), ("Y", "got confirmed")],
    "the newest wait": [("BOOK", "Y or N?"), ("BOOK", "Y or N?"), ("N", "got change"), ("Y", "got confirmed")],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name, play, house, eventually):
    house.flow(ASK, "ask.yaml")
    house.flow(HOURS, "hours.yaml")
    house.flow(ANY, "any.yaml")

    async def scenario(house):
        for text, *expected in CONVERSATIONS[name]:
            await says(house, eventually, text, *expected)
        await says(house, eventually, "hello", "We call you.", sender=OTHER)

    play(scenario)


def test_answer_may_name_the_message_it_answers(play, house, eventually):
    house.flow(ASK, "ask.yaml")

    async def scenario(house):
        await says(house, eventually, "BOOK", "Y or N?")
        await says(house, eventually, "BOOK", "Y or N?")
        first = house.sim.messages[0].message_id
        before = sorted(run.run.id for run in house.daemon.worker._runs._active.values())
        await house.text_in("Y", message_id=first)
        await eventually(lambda: len(house.got()) == 3)
        await eventually(lambda: house.daemon.worker.is_idle)
        assert list(house.daemon.worker._runs._active) == before[1:]

    play(scenario)


ASK_AND_HOLD = ASK.replace('  - reply: "Y or N?"', '  - reply: {message: "Y or N?", on_unknown: hold}')


def test_answer_that_proves_its_question_is_heard(play, house, eventually):
    """Nobody knew whether the question had gone out, so its run did not wait for an answer yet."""
    house.flow(ASK_AND_HOLD, "ask.yaml")
    house.flow(ANY, "any.yaml")

    async def scenario(house):
        house.sim.fail_next(Fault(kind="reset", takes=True))
        await house.text_in("BOOK")
        await eventually(lambda: house.daemon.worker.is_idle and house.sim.messages)
        await house.text_in("Y", metadata=house.sim.messages[0].metadata)
        await eventually(lambda: len(house.got()) == 2)
        assert house.got()[1] == (CONTACT, "got confirmed")

    play(scenario)


def test_opt_out_that_proves_a_message_holds_for_what_follows_it(play, house, eventually):
    steps = "[{reply: {message: One., on_unknown: hold}}, {reply: Two.}]"
    house.flow(f"name: two\non: {{inbound_sms: {{keyword: BOOK}}}}\nsteps: {steps}\n")

    async def scenario(house):
        house.sim.fail_next(Fault(kind="reset", takes=True))
        await house.text_in("BOOK")
        await eventually(lambda: house.daemon.worker.is_idle and house.sim.messages)
        await house.text_in("STOP", metadata=house.sim.messages[0].metadata)
        await eventually(lambda: not house.daemon.worker.open_runs)
        assert house.got() == [(CONTACT, "One.")]

    play(scenario)


def test_answer_does_not_overtake_a_question_that_is_sent_again(play, house, eventually):
    """It comes while the second call is under way: its run was at rest while the question was held."""
    house.flow(ASK_AND_HOLD, "ask.yaml")
    house.flow(ANY, "any.yaml")

    async def scenario(house):
        house.sim.fail_next(Fault(kind="reset"))
        await house.text_in("BOOK")

        async def is_held():
            return (await house.states()) == {CONTACT: "held"}

        await eventually(is_held)
        house.sim.fail_next(Fault(kind="delay", delay_s=0.2))
        [send] = await house.sends()
        assert (await house.admin(f"/api/sends/{send['id']}/resolve", "POST", json={"as": "resend"})).status_code == 200
        await eventually(lambda: house.sim.messages)
        await house.text_in("Y")
        await eventually(lambda: len(house.got()) == 2)
        assert house.got()[1] == (CONTACT, "got confirmed")

    play(scenario)


def test_wait_outlives_restart_edit_and_deletion(house, scene, eventually):
    path = house.flow(ASK, "ask.yaml")

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "BOOK", "Y or N?")
        path.write_text(ASK.replace("got {{", "now it is {{"))
        async with house.at_work():
            await says(house, eventually, "hm", "Sorry, Y or N?")
            path.unlink()
            await eventually(lambda: not house.daemon.worker.catalog.flows)
        async with house.at_work():
            await says(house, eventually, "Y", "got confirmed")
            assert house.daemon.worker.open_runs == 0

    scene(scenario)


def test_wait_runs_out(play, house, eventually):
    house.flow(ASK.replace("timeout: 1h", "timeout: 50ms"), "ask.yaml")

    async def scenario(house):
        await house.text_in("BOOK")
        await eventually(lambda: len(house.got()) == 2)
        assert house.got()[1][1] == "got timeout"

    play(scenario)


RECEIPT = """\
name: notice
on: {inbound_sms: {keyword: GO}}
steps:
  - id: notice
    reply: Here you are.
  - delay: DELAY
  - id: receipt
    wait_for_receipt: {message_id: "{{ steps.notice.message_id }}", status: [delivered, failed], timeout: 1m}
  - reply: "it was {{ steps.receipt.status }}"
"""


@pytest.mark.parametrize("delay", ["0s", "300ms"])
def test_receipt_is_waited_for_and_may_have_come_before(delay, play, house, eventually):
    house.flow(RECEIPT.replace("DELAY", delay), "notice.yaml")

    async def scenario(house):
        await house.text_in("GO")
        await eventually(house.got)
        message = house.sim.messages[0]
        body = {
            "delivery_report_id": "d1", "message_id": message.message_id, "status": "delivered",
            "source_address": message.source_number, "destination_address": CONTACT,
            "metadata": message.metadata,
        }  # fmt: skip
        assert (await house.post(body, path="/hooks/hook-token-of-the-test/receipts")).status_code == 202
        await eventually(lambda: len(house.got()) == 2)
        assert house.got()[1][1] == "it was delivered"

    play(scenario)
