"""What a start by hand would send, counted without sending: through the admin port of a daemon at work."""

import json

import pytest

ANNA, BERT = "+61491570156", "+61491570157"


def flow(steps, **keys):
    return json.dumps({"name": "a", "on": "manual", "steps": steps, **keys})


def send(to, message="Hello."):
    return {"send_sms": {"to": to, "message": message}}


REPORT = {
    "flow": "a", "status": "completed", "reason": None, "messages": 0, "recipients": 0, "parts": 0, "deferred": 0,
    "skipped": {}, "opted_out": [], "bad_numbers": [], "failures": {}, "stops": {},
}  # fmt: skip
SENT = {"messages": 1, "recipients": 1, "parts": 1}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (flow([send(ANNA)]), SENT),
        (flow([send([ANNA, BERT]), send(ANNA, "x" * 161)]), {"messages": 3, "recipients": 2, "parts": 4}),
        (
            flow([send(["{{ inputs.to }}", ANNA, "{{ inputs.bad }}"])],
                 inputs={"to": {"default": BERT}, "bad": {"default": "no number"}}),
            {
                "messages": 2, "recipients": 2, "parts": 2, "skipped": {"not a phone number": 1},
                "bad_numbers": ["no number"],
            },
        ),
        (
            flow([{"for_each": {
                "items": [ANNA, "x", "y", BERT], "as": "each", "on_item_error": "continue",
                "steps": [send("{{ each }}")],
            }}]),
            {
                "messages": 2, "recipients": 2, "parts": 2, "skipped": {"not a phone number": 2},
                "bad_numbers": ["x", "y"],
            },
        ),
        (
            flow([{"for_each": {
                "items": "{{ vars.all }}", "as": "each", "steps": [send(ANNA)],
            }}], vars={"all": list(range(60))}),
            {
                "messages": 50, "recipients": 1, "parts": 50,
                "skipped": {"50 messages by this run (policy.max_sends_per_run)": 10},
            },
        ),
        (
            flow([send(ANNA), {"http": {"method": "GET", "url": "https://example.com/{{ run.flow }}"}}, send(BERT)]),
            SENT | {
                "status": "unknown",
                "stops": {
                    "flows/flow.yaml:1:89: step 1 of a: what GET https://example.com/a would answer is not known": 1
                },
            },
        ),
        (flow([{"fail": "no more"}]), {"status": "failed", "reason": "no more"}),
        (flow([{"run_flow": {"flow": "b"}}, send(ANNA)]) + "\n---\n" + flow([send(BERT)]).replace('"a"', '"b"'),
         {"messages": 2, "recipients": 2, "parts": 2}),
    ],
)  # fmt: skip
def test_a_dry_run_counts_and_sends_nothing(play, house, text, found):
    house.flow(text)

    async def scenario(house):
        answer = await house.admin("/api/flows/a/dry-run", "POST")
        assert answer.status_code == 200, answer.text
        report = answer.json()
        samples = report.pop("samples")
        assert len(samples) == min(3, report["messages"])
        if found.get("stops"):
            [(place, _)] = report["stops"].items()
            [(wanted, _)] = found["stops"].items()
            assert place.partition(" step ")[2] == wanted.partition(" step ")[2]
            report["stops"] = found["stops"]
        report["failures"] = {}
        assert report == REPORT | found
        assert await house.sends() == []
        assert house.daemon.stats.runs_started == 0
        assert house.got() == []

    play(scenario)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"delay": "1h"}, "it waits until 20"),
        ({"wait_for_reply": {"timeout": "1h", "from": ANNA}}, f"it waits for an answer of {ANNA}"),
        ({"get_sender_ids": None}, "what Sinch would answer (senders) is not known"),
    ],
)
def test_it_says_where_nobody_knows_how_it_goes_on(play, house, step, words):
    house.flow(flow([send(ANNA), step, send(BERT)]))

    async def scenario(house):
        report = (await house.admin("/api/flows/a/dry-run", "POST")).json()
        [(stop, count)] = report["stops"].items()
        assert (count, words in stop, stop.startswith("flows/flow.yaml:1:")) == (1, True, True), stop
        assert (report["messages"], report["status"]) == (1, "unknown")

    play(scenario)


def test_people_who_opted_out_are_named(play, house):
    house.flow(flow([send([ANNA, BERT])]))

    async def scenario(house):
        house.daemon.worker.people.suppress(BERT, "keyword", house.daemon.journal.born_at, "STOP")
        report = (await house.admin("/api/flows/a/dry-run", "POST")).json()
        assert (report["messages"], report["opted_out"], report["skipped"]) == (1, [BERT], {"opted out": 1})

    play(scenario)


def test_what_cannot_be_started_cannot_be_tried(play, house):
    house.flow(flow([send(ANNA)], inputs={"n": {"type": "integer"}}))

    async def scenario(house):
        answer = await house.admin("/api/flows/a/dry-run", "POST")
        assert (answer.status_code, answer.json()) == (400, {"error": 'input "n" of flow "a" is missing'})
        assert (await house.admin("/api/flows/b/dry-run", "POST")).status_code == 404

    play(scenario)
