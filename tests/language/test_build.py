"""What becomes of a document: the model's flow and project."""

from datetime import timedelta

from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checker
from sinchflow.model.flow import BasicAuth, BearerAuth, Choose, Http, InboundSms, Manual, SendSms, SetVars, Text
from sinchflow.model.project import Brake


def flow(text, file="flows/menu.yaml"):
    return flow_from_source(text, file, 1)


def test_everything_that_is_not_said_has_its_default():
    built = flow("on: inbound_sms\nsteps:\n  - reply: hello\n")
    assert (built.name, built.enabled, built.priority, built.goes_on) == ("menu", True, 0, False)
    (step,) = built.steps
    assert step.address == "0"
    assert isinstance(step.action, SendSms)
    assert (step.action.to, step.action.delivery_report, step.action.format) == (None, True, "SMS")


def test_filters_keep_the_spelling_of_their_scalars():
    built = flow("on:\n  inbound_sms:\n    keyword: [1, 2.50, true, NO]\n    from: +614*\nsteps:\n  - log: 5.10\n")
    (trigger,) = built.triggers
    assert isinstance(trigger, InboundSms)
    assert (trigger.keyword, trigger.from_) == (("1", "2.50", "true", "NO"), ("+614*",))
    assert built.steps[0].action.text.source == "5.10"


def test_triggers_may_be_named_listed_or_mapped():
    def kinds(on):
        return [type(trigger).__name__ for trigger in flow(f"on: {on}\nsteps:\n  - log: x\n").triggers]

    assert kinds("manual") == ["Manual"]
    assert kinds("[manual, inbound_sms]") == ["Manual", "InboundSms"]
    assert kinds("{inbound_sms: [{keyword: A}, {exact: b}], manual: }") == ["InboundSms", "InboundSms", "Manual"]
    assert kinds("[{delivery_receipt: {status: failed}}, manual]") == ["DeliveryReceipt", "Manual"]


def test_steps_have_addresses_by_their_place():
    built = flow(
        "on: manual\nsteps:\n  - log: a\n  - choose:\n      - if: 1 == 1\n        steps:\n          - log: b\n"
        "          - log: c\n      - else:\n          - log: d\n    on_error:\n      - log: e\n"
    )
    choose = built.steps[1].action
    assert isinstance(choose, Choose)
    assert [step.address for branch in choose.branches for step in branch.steps] == [
        "1.choose.0.0",
        "1.choose.0.1",
        "1.choose.1.0",
    ]
    assert choose.branches[1].condition is None
    assert [step.address for step in built.steps[1].on_error] == ["1.on_error.0"]


def test_values_keep_types_and_texts_keep_places():
    built = flow("on: manual\nsteps:\n  - set: {a: 1, b: [true, null, x], c: {d: 2.5}}\n")
    action = built.steps[0].action
    assert isinstance(action, SetVars)
    first, second, third = action.values["b"]
    assert (action.values["a"], first, second, action.values["c"]) == (1, True, None, {"d": 2.5})
    assert isinstance(third, Text)
    assert str(third.origin) == "flows/menu.yaml:3:33"


def test_http_takes_its_method_from_its_body():
    def http(fields):
        action = flow(f"on: manual\nsteps:\n  - http: {{url: https://a.example.com/, {fields}}}\n").steps[0].action
        assert isinstance(action, Http)
        return action

    assert http("parse: json").method == "GET"
    assert http("json: null").method == "POST"
    assert (http("json: null").has_json, http("parse: json").has_json) == (True, False)
    assert http("method: PUT, body: x").method == "PUT"
    assert http("expect: [2xx, 409]").expect == ("2xx", "409")
    assert isinstance(http("auth: {username: u, password: p}").auth, BasicAuth)
    assert isinstance(http("auth: {bearer: t}").auth, BearerAuth)
    assert [text.source for text in http("query: {a: [1, 0491]}").query["a"]] == ["1", "0491"]


def test_retry_and_timeout_are_durations():
    (step,) = flow(
        "on: manual\nsteps:\n  - http: {url: https://a.example.com/}\n    timeout: 500ms\n"
        "    retry: {attempts: 6, delay: 1m, backoff: linear, max_delay: 2h, when: [5xx, 429]}\n"
    ).steps
    assert step.timeout == timedelta(milliseconds=500)
    assert (step.retry.attempts, step.retry.delay, step.retry.max_delay) == (
        6,
        timedelta(minutes=1),
        timedelta(hours=2),
    )
    assert (step.retry.backoff, step.retry.when) == ("linear", ("5xx", "429"))


def test_manual_trigger_stands_where_it_is_written():
    (trigger,) = flow("on: [manual]\nsteps:\n  - log: x\n").triggers
    assert isinstance(trigger, Manual)
    assert (trigger.origin.column, trigger.origin.length) == (6, 6)


def test_project_settings_are_read(tmp_path):
    (tmp_path / "sinchflow.yaml").write_text(
        "service: engage_eu\ncountry: AU\ntimezone: Australia/Melbourne\nlimits: {calls: off, per: 10s, batch: 7}\n"
        'webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}\noutbound: {allow: 127.0.0.1}\nenv: [A, B]\n'
        "policy: {max_sends_per_contact: {max: 3, per: 1h}}\nsource_number: ACME\n"
    )
    checked = Checker().check(tmp_path)
    project = checked.project
    assert checked.diagnostics == ()
    assert (project.service, project.country, project.timezone) == ("engage_eu", "AU", "Australia/Melbourne")
    assert (project.limits.calls, project.limits.per, project.limits.batch) == (None, timedelta(seconds=10), 7)
    assert project.webhook_token.source == "{{ secrets.HOOK_TOKEN }}"
    assert (project.outbound_allow, project.env, project.source_number) == (("127.0.0.1",), ("A", "B"), "ACME")
    assert project.policy.max_sends_per_contact == Brake(max=3, per=timedelta(hours=1))
