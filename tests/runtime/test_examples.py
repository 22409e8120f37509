"""Each example that converses, waits or loops, from its first event to its end, in a daemon with a simulated Sinch."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from sinchflow.simulate.faults import Fault

EXAMPLES = Path(__file__).parents[2] / "flows"
ANN, BOB, CHRIS = "+61491570156", "+61491570157", "+61491570158"
TOKEN = {"X-Token": "t0ken"}


class Stage:
    """An example at work: what is called and texted, and what it sends and calls."""

    def __init__(self, house, url, eventually):
        self.house, self.url, self.eventually = house, url, eventually
        self._seen = 0

    async def call(self, path, **body):
        """Another program calls the flow's webhook; its answer."""
        address = f"http://127.0.0.1:{self.house.daemon.port}/flows{path}"
        answer = await self.house.http.post(address, json=body, headers=TOKEN)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def start(self, name, inputs):
        """Somebody starts the flow by hand; the run's id."""
        address = f"http://127.0.0.1:{self.house.daemon.admin_port}/api/flows/{name}/start"
        headers = {"Authorization": f"Bearer {self.house.daemon.token}"}
        answer = await self.house.http.post(address, json={"inputs": inputs}, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["run"]

    async def sends(self, *expected):
        """Exactly these texts go out to Ann."""
        await self.gets(*((ANN, each) for each in expected))

    async def gets(self, *expected):
        """Exactly these texts go out, and then nothing is left to be done but to wait."""
        await self.eventually(lambda: len(self.house.got()) >= self._seen + len(expected))
        await self.rest()
        got = self.house.got()[self._seen :]
        self._seen += len(got)
        assert got == list(expected)

    async def says(self, text, *expected, by=ANN, then=()):
        """Somebody texts us and gets these texts back. then: pairs of other people and what they get."""
        await self.house.text_in(text, by)
        await self.gets(*((by, each) for each in expected), *then)

    async def calls(self, *expected):
        """Exactly these bodies have been posted since the last time."""
        await self.eventually(lambda: len(self.url.requests) >= len(expected))
        assert self.url.bodies() == list(expected)
        self.url.requests.clear()

    async def receipt(self, status):
        """What became of the last message."""
        message = self.house.sim.messages[-1]
        body = {
            "delivery_report_id": f"{status}-{message.message_id}", "message_id": message.message_id, "status": status,
            "source_address": message.source_number, "destination_address": message.destination_number,
            "metadata": message.metadata,
        }  # fmt: skip
        assert (await self.house.post(body, path="/hooks/hook-token-of-the-test/receipts")).status_code == 202
        await self.rest()

    def outputs(self, run_id):
        """What a run that has ended gives."""
        return self.house.daemon.journal.run(run_id).outputs_given

    async def rest(self):
        """Nothing is under way."""
        await self.eventually(lambda: self.house.daemon.worker.is_idle)

    async def ends(self, run_id, status="completed", reason=None):
        """The run comes to this end, and none is open."""
        await self.eventually(lambda: self.house.daemon.worker.open_runs == 0)
        run = self.house.daemon.journal.run(run_id)
        assert (run.status, run.reason) == (status, reason)


@pytest.fixture
def act(play, house, answering, eventually, monkeypatch):
    """`act(NAME, scene)`: play an example with its own settings, its URLs at this machine.

    changes: pairs of a text in the flow and what stands there instead, for times that a test cannot wait for. lists:
    other contents for its CSV files.
    """

    def run(name, scene, changes=(), **lists):
        folder = EXAMPLES / name
        settings, path = {}, EXAMPLES / f"{name}.yaml"
        if folder.is_dir():
            settings, path = yaml.safe_load((folder / "sinchflow.yaml").read_text()), folder / "flows" / path.name
            (house.root / "lists").mkdir()
            for each in folder.glob("lists/*"):
                (house.root / "lists" / each.name).write_text(lists.get(each.stem) or each.read_text())
        text = path.read_text()
        for secret in re.findall(r"secrets\.(\w+)", text):
            monkeypatch.setenv(f"SINCHFLOW_SECRET_{secret}", "t0ken")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)

        async def whole(house):
            async with answering() as url:
                house.flow(re.sub(r"https://\w+\.example\.com|{{ secrets.CHAT_WEBHOOK_URL }}", url.url, text))
                assert await house.daemon.reload() is None
                await scene(Stage(house, url, eventually))

        play(
            whole, country="AU", timezone="Australia/Melbourne", **{key: json.dumps(settings[key]) for key in settings}
        )

    return run


ASKED_FOR = "Your visit is {}. Reply Y to confirm or N to change."
BOOKING = {"event_id": "e1", "id": "b1", "phone": "0491 570 156"}


def booking(**fields):
    """A booking in two hours, and what is asked about it."""
    starts_at = datetime.now(ZoneInfo("Australia/Melbourne")) + timedelta(hours=2)
    return {**BOOKING, "starts_at": starts_at.isoformat(), **fields}, ASKED_FOR.format(
        starts_at.strftime("%a %d %b %H:%M")
    )


def test_appointment_is_confirmed(act):
    async def scene(stage):
        body, asked = booking()
        run = await stage.call("/bookings", **body)
        await stage.sends(asked)
        assert await stage.call("/bookings", **body) == run
        await stage.says("What?", "Sorry, please reply Y or N.")
        await stage.says("Yep, thanks!", "Confirmed, see you then.")
        await stage.calls({"booking": "b1", "number": ANN})
        await stage.ends(run["run"])

    act("appointment-confirm", scene)


def test_appointment_is_to_be_changed(act):
    async def scene(stage):
        body, asked = booking()
        run = await stage.call("/bookings", **body)
        await stage.sends(asked)
        await stage.says("can't come", "No problem. Pick another time: https://acme.example/b")
        await stage.ends(run["run"])

    act("appointment-confirm", scene)


def test_appointment_that_is_moved_is_asked_about_once(act):
    async def scene(stage):
        moved, asked = booking(event_id="e2")
        body = moved | {"event_id": "e1", "starts_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()}
        first = await stage.call("/bookings", **body)
        second = await stage.call("/bookings", **moved)
        await stage.sends(asked)
        assert stage.house.daemon.worker.open_runs == 1
        await stage.says("Y", "Confirmed, see you then.")
        await stage.ends(second["run"])
        await stage.ends(first["run"], "cancelled", "another run of the flow with the same key began")

    act("appointment-confirm", scene)


def test_nobody_answers_about_the_appointment(act):
    async def scene(stage):
        body, asked = booking()
        run = await stage.call("/bookings", **body)
        await stage.ends(run["run"])
        await stage.sends(asked)

    act("appointment-confirm", scene, [("timeout: 20h", "timeout: 100ms")])


THANKS = "Thanks for taking the time. Every answer is read."
HOW = "How was your visit? Reply with a number from 1 (poor) to 5 (great)."


@pytest.mark.parametrize(
    ("texts", "body"),
    [
        (
            [("5", "Thank you! What did you like most?"), ("The team", THANKS)],
            {"number": ANN, "score": 5, "comment": "The team"},
        ),
        (
            [("great", "Please reply with a number from 1 to 5."), ("FEEDBACK",),
             ("2!", "We are sorry to hear that. What should we do better?"),
             ("Ring back", THANKS)],
            {"number": ANN, "score": 2, "comment": "Ring back"},
        ),
    ],
    ids=["great", "poor"],
)  # fmt: skip
def test_survey(act, texts, body):
    async def scene(stage):
        await stage.says("Feedback", HOW)
        [run] = stage.house.daemon.worker._runs._active
        for text, *answers in texts:
            await stage.says(text, *answers)
        await stage.calls(body)
        await stage.ends(run)

    act("survey", scene)


def test_survey_without_a_comment(act):
    async def scene(stage):
        await stage.says("Feedback", HOW)
        await stage.says("4", "Thank you! What did you like most?")
        await stage.calls({"number": ANN, "score": 4, "comment": None})
        await stage.sends()

    act("survey", scene, [("wait_for_reply: {timeout: 24h}", "wait_for_reply: {timeout: 100ms}")])


MISSED = "Sorry that we missed your call. Text us what it is about, or Y to be called back."


@pytest.mark.parametrize(
    ("text", "category", "answer"),
    [
        ("yes please", "call_back", "Thanks, we call you back on this number."),
        ("Is my car ready?", "question", "Thanks, a colleague answers you on this number."),
    ],
)
def test_missed_call(act, text, category, answer):
    async def scene(stage):
        run = await stage.call("/missed-calls", **{"call_id": "c1", "from": "0491570156"})
        assert (await stage.call("/missed-calls", **{"call_id": "c2", "from": ANN}))["run"] is None
        await stage.sends(MISSED)
        await stage.says(text, answer)
        await stage.calls({"text": f"Missed call from {ANN} ({category}): {text}"})
        await stage.ends(run["run"])

    act("missed-call", scene)


ALERT = "ALERT: Checkout is down. Reply Y to take it, N to pass it on."


def test_alert_goes_from_one_to_the_next_until_it_is_taken(act):
    async def scene(stage):
        run = await stage.call("/alerts", id="a1", summary="Checkout is down")
        await stage.sends(ALERT)
        await stage.says("No sorry", then=[(BOB, ALERT)])
        await stage.says("On it!", "Thanks Bob, it is yours.", by=BOB)
        await stage.calls({"alert": "a1", "by": "Bob"})
        await stage.ends(run["run"])

    act("oncall-escalation", scene)


def test_alert_that_nobody_takes_fails(act):
    async def scene(stage):
        run = await stage.call("/alerts", id="a1", summary="Checkout is down")
        await stage.ends(run["run"], "failed", "nobody on call took alert a1")
        assert stage.house.got() == [(ANN, ALERT), (BOB, ALERT), (CHRIS, ALERT)]

    act("oncall-escalation", scene, [("timeout: 5m", "timeout: 100ms")])


AT_ONCE = [("delay: 1m", "delay: 0s")]


@pytest.mark.parametrize(("area", "told"), [(None, [ANN, BOB, CHRIS]), ("north", [ANN, BOB])])
def test_outage_is_told_to_everybody_or_an_area(act, area, told):
    async def scene(stage):
        inputs = {"text": "the power is off.", "area": area}
        run = await stage.start("outage-broadcast", inputs)
        await stage.ends(run)
        names = {ANN: "Ann", BOB: "Bob", CHRIS: "Chris"}
        assert stage.house.got() == [(to, f"Hi {names[to]}, the power is off.") for to in told]
        assert stage.outputs(run) == {"sent": len(told), "skipped": 0, "failed": 0}

    act("outage-broadcast", scene, AT_ONCE)


def test_outage_for_2000_rides_the_batches(act):
    numbers = [f"+614915{number:05}" for number in range(2000)]

    async def scene(stage):
        run = await stage.start("outage-broadcast", {"text": "the power is off."})
        await stage.ends(run)
        assert sorted(to for to, _ in stage.house.got()) == numbers
        assert stage.outputs(run) == {"sent": 2000, "skipped": 0, "failed": 0}
        assert len(stage.house.sim.calls) == 20

    rows = "".join(f"{number},Joe,north\n" for number in numbers)
    act("outage-broadcast", scene, AT_ONCE, customers="number,name,area\n" + rows)


NOTICE = {"id": "n1", "phone": ANN, "text": "Boil your water."}


@pytest.mark.parametrize(("status", "is_called"), [("delivered", False), ("failed", True), ("rejected", True)])
def test_notice_that_is_not_delivered_goes_by_voice(act, status, is_called):
    async def scene(stage):
        run = await stage.call("/notices", **NOTICE)
        await stage.sends(NOTICE["text"])
        await stage.receipt("enroute")
        await stage.receipt(status)
        body = {"number": ANN, "text": NOTICE["text"], "because": status}
        await stage.calls(*([body] if is_called else []))
        await stage.ends(run["run"], *([] if is_called else ["stopped", "delivered"]))

    act("delivery-fallback", scene)


def test_notice_that_sinch_refuses_goes_by_voice(act):
    async def scene(stage):
        stage.house.sim.fail_next(Fault(status=400, body='{"message": "no such number"}'))
        run = await stage.call("/notices", **NOTICE)
        await stage.calls({"number": ANN, "text": NOTICE["text"], "because": "not sent"})
        await stage.ends(run["run"])

    act("delivery-fallback", scene)
