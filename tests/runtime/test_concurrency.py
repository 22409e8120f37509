"""Runs beside each other in a daemon at work: `concurrency`, `throttle.otherwise`, `run_flow`, `on_change`."""

import pytest

CONTACT = "+61491570156"
WAIT = "wait_for_reply: {timeout: 1h, categories: {go: {answer: go}}}"


def ticket(concurrency: str) -> str:
    return f"""\
name: ticket
on: {{inbound_sms: {{keyword: TICKET}}}}
concurrency: {concurrency}
steps:
  - reply: "begun {{{{ match.rest }}}}"
  - {WAIT}
  - reply: "done {{{{ match.rest }}}}"
"""


async def says(house, eventually, *texts, sender=CONTACT):
    for text in texts:
        await house.text_in(text, sender)
        await eventually(lambda: house.daemon.worker.is_idle)


def said(house, sender=CONTACT):
    return [text for to, text in house.got() if to == sender]


MODES = {
    "{mode: single}": (["begun 1", "done 1"], 0),
    "{mode: restart}": (["begun 1", "begun 2", "begun 3", "done 3"], 0),
    "{mode: parallel, max: 2}": (["begun 1", "begun 2", "done 2"], 1),
    "{mode: queued, max: 2}": (["begun 1", "done 1", "begun 2"], 1),
    "{mode: queued}": (["begun 1", "done 1", "begun 2"], 2),
    '{mode: single, key: "{{ match.rest }}"}': (["begun 1", "begun 2", "begun 3", "done 3"], 2),
}


@pytest.mark.parametrize("concurrency", MODES)
def test_matches_while_a_run_is_open(concurrency, play, house, eventually):
    expected, open_runs = MODES[concurrency]
    house.flow(ticket(concurrency), "ticket.yaml")

    async def scenario(house):
        await says(house, eventually, "TICKET 1", "TICKET 2", "TICKET 3", "go")
        await eventually(lambda: house.daemon.worker.is_idle)
        assert said(house) == expected
        assert house.daemon.worker.open_runs == open_runs
        await says(house, eventually, "TICKET 9", sender="+61491570157")
        assert said(house, "+61491570157") == ["begun 9"]  # somebody else's key is another one

    play(scenario)


def test_queue_outlives_a_restart(house, scene, eventually):
    house.flow(ticket("{mode: queued}"), "ticket.yaml")

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "TICKET 1", "TICKET 2", "TICKET 3")
        async with house.at_work():
            await says(house, eventually, "go")
            assert said(house) == ["begun 1", "done 1", "begun 2"]
        async with house.at_work():
            await says(house, eventually, "go", "go")
            assert said(house)[3:] == ["done 2", "begun 3", "done 3"]
            assert house.daemon.worker.open_runs == 0

    scene(scenario)


def test_cancelled_run_takes_back_what_has_not_left(play, house, eventually):
    house.flow(
        f"name: remind\non: manual\ncontact: {CONTACT}\ninputs: {{n: {{type: integer}}}}\n"
        'concurrency: {mode: restart}\nsteps: [{reply: "booked {{ inputs.n }}"}]\n'
    )

    async def scenario(house):
        flow = house.daemon.worker.catalog.flows["remind"]
        for number in (1, 2):
            started = []
            house.daemon.worker.start(flow, {"n": number}, started.append)
            await eventually(lambda: started)  # noqa: B023
        await eventually(lambda: house.daemon.worker.is_idle)
        await eventually(lambda: house.sends("skipped"))
        sends = [(send["message"], send["state"]) for send in await house.sends()]
        assert sends == [("booked 1", "skipped"), ("booked 2", "deferred")]
        assert "withdrawn" in (await house.sends())[0]["reason"]
        assert house.daemon.worker.open_runs == 1
        assert house.daemon.stats.runs_ended["cancelled"] == 1

    play(scenario, policy="{quiet_hours: {from: 00:00, to: 23:59}, max_sends_per_contact: off}")


def test_throttled_contact_gets_otherwise_once(play, house, eventually):
    house.flow(
        "name: hi\non: inbound_sms\n"
        'throttle: {max: 2, per: 1h, otherwise: [{reply: "slow down"}, {log: "{{ contact.number }}"}]}\n'
        'outputs: {x: "{{ steps.x.message_id }}"}\nsteps: [{id: x, reply: "hi"}]\n'
    )

    async def scenario(house):
        await says(house, eventually, *"12345")
        assert said(house) == ["hi", "hi", "slow down"]
        assert house.daemon.stats.throttled == 3
        assert house.daemon.stats.runs_ended["completed"] == 3

    play(scenario)


def test_otherwise_has_been_said_also_before_a_restart(house, scene, eventually):
    house.flow(
        "name: hi\non: inbound_sms\nthrottle: {max: 1, per: 1h, otherwise: [{reply: slow down}]}\n"
        "steps: [{reply: hi}]\n"
    )

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "1", "2")
        async with house.at_work():
            await says(house, eventually, "3")
        assert said(house) == ["hi", "slow down"]

    scene(scenario)


PARENT = f"""\
name: parent
on: {{inbound_sms: {{keyword: RUN}}}}
steps:
  - id: child
    run_flow: {{flow: child, inputs: {{n: 4}}}}
    on_error: [{{reply: "it failed: {{{{ error.message }}}}"}}, {{stop: failed}}]
  - reply: "child gave {{{{ steps.child.outputs.twice | default('nothing') }}}}"
---
name: child
on: manual
contact: "{{{{ contact.number }}}}"
inputs: {{n: {{type: integer}}}}
outputs: {{twice: "{{{{ inputs.n * 2 }}}}"}}
steps:
  - reply: child here
  - {WAIT}
"""


AT_ONCE = """\
name: parent
on: {inbound_sms: {keyword: RUN}}
steps:
  - for_each:
      items: [1, 2]
      as: n
      steps:
        - id: child
          run_flow: {flow: child, inputs: {n: "{{ n }}"}}
        - set: {sum: "{{ vars.sum + steps.child.outputs.twice }}"}
  - reply: "{{ vars.sum }}"
vars: {sum: 0}
---
name: child
on: manual
inputs: {n: {type: integer}}
outputs: {twice: "{{ inputs.n * 2 }}"}
steps:
  - set: {asked: "{{ inputs.n }}"}
"""


def test_run_hears_of_another_that_ends_at_once(house, scene, eventually):
    house.flow(AT_ONCE)

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "RUN")
            await eventually(lambda: said(house) == ["6"])
            await eventually(lambda: house.daemon.worker.open_runs == 0)

    scene(scenario)


def test_run_waits_for_another_across_restarts(house, scene, eventually):
    house.flow(PARENT.replace('contact: "{{ contact.number }}"\n', 'contact: "+61491570156"\n'))

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "RUN")
        async with house.at_work():
            await says(house, eventually, "go")
            assert said(house) == ["child here", "child gave 8"]
            assert house.daemon.worker.open_runs == 0

    scene(scenario)


def test_run_goes_on_though_the_daemon_died_when_the_other_one_ended(house, scene, eventually):
    """The end of the child is on disk, that of the parent is not: as after a kill between the two units."""
    house.flow(PARENT.replace('contact: "{{ contact.number }}"\n', 'contact: "+61491570156"\n'))

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "RUN")
            house.daemon.worker._runs._families._parents.clear()  # nobody tells the parent
            await says(house, eventually, "go")
            assert said(house) == ["child here"]
        async with house.at_work():
            await eventually(lambda: len(said(house)) == 2)
            assert said(house)[1] == "child gave 8"

    scene(scenario)


CHANGES = {"finish": ["begun", "go on: done"], "cancel": ["begun"]}


@pytest.mark.parametrize("on_change", CHANGES)
@pytest.mark.parametrize("when", ["live", "down"])
def test_change_of_the_document(on_change, when, house, scene, eventually):
    text = f"name: x\non: {{inbound_sms: {{keyword: X}}}}\non_change: {on_change}\n"
    text += f"steps: [{{reply: begun}}, {{{WAIT}}}, "
    text += '{reply: "go on: done"}]\n'
    path = house.flow(text)

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "X")
            if when == "live":
                path.write_text(text.replace("go on", "new"))
                assert await house.daemon.reload() is None
                await says(house, eventually, "go")
        if when == "down":
            path.write_text(text.replace("go on", "new"))
            async with house.at_work():
                await says(house, eventually, "go")
                assert house.daemon.worker.open_runs == 0
        assert said(house) == CHANGES[on_change]

    scene(scenario)
