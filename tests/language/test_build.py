"""What becomes of a document: the model's flow and project."""

from datetime import timedelta

import pytest

from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checker
from sinchflow.model.flow import (
    BasicAuth,
    BearerAuth,
    CancelMessage,
    Choose,
    DeliveryReceipt,
    GetMessageStatus,
    GetSenderIds,
    Http,
    InboundSms,
    Manual,
    OptOut,
    SendSms,
    SetOptOut,
    SetVars,
    Text,
)
from sinchflow.model.project import Brake, CatchUp, Limits, Retention, Webhooks


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


def settings(tmp_path, text):
    (tmp_path / "sinchflow.yaml").write_text(text)
    checked = Checker().check(tmp_path)
    assert checked.diagnostics == ()
    return checked.project


def test_project_settings_are_read(tmp_path):
    project = settings(
        tmp_path,
        "service: engage_eu\ncountry: AU\ntimezone: Australia/Melbourne\nlimits: {calls: off, per: 10s, batch: 7}\n"
        'webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}\noutbound: {allow: 127.0.0.1}\nenv: [A, B]\n'
        "policy: {max_sends_per_contact: {max: 3, per: 1h}}\nsource_number: ACME\n",
    )
    account = project.account
    assert (account.service, project.country, project.timezone) == ("engage_eu", "AU", "Australia/Melbourne")
    assert (account.limits.calls, account.limits.per, account.limits.batch) == (None, timedelta(seconds=10), 7)
    assert project.webhooks.token.source == "{{ secrets.HOOK_TOKEN }}"
    assert (project.outbound_allow, project.env, account.source_number) == (("127.0.0.1",), ("A", "B"), "ACME")
    assert project.policy.max_sends_per_contact == Brake(max=3, per=timedelta(hours=1))


def test_settings_that_are_not_given_have_the_defaults_of_the_model(tmp_path):
    project = settings(tmp_path, "webhooks: {retries: 5}\ntimezone: UTC\n")
    assert project.webhooks == Webhooks()
    assert (project.account.catch_up, project.account.sub_account, project.accounts) == (None, None, {})


def test_webhooks_and_catch_up_are_read(tmp_path):
    project = settings(
        tmp_path,
        'env: [PUBLIC_URL]\nwebhooks:\n  token: "{{ secrets.T }}"\n  secret: "{{ secrets.S }}"\n'
        '  public_url: "{{ env.PUBLIC_URL }}"\n  signature: on\n  name: shop-2\n  retries: 0\n  retry_delay: 5s\n'
        "  read_timeout: 500ms\n  drift_every: off\ncatch_up: {on_start: true, every: 10m, max_age: 1h}\n",
    )
    webhooks, catch_up = project.webhooks, project.account.catch_up
    assert (webhooks.secret.source, webhooks.public_url.source) == ("{{ secrets.S }}", "{{ env.PUBLIC_URL }}")
    assert (webhooks.signature, webhooks.name, webhooks.retries) == ("on", "shop-2", 0)
    assert (webhooks.retry_delay, webhooks.read_timeout) == (timedelta(seconds=5), timedelta(milliseconds=500))
    assert webhooks.drift_every is None
    assert catch_up == CatchUp(on_start=True, every=timedelta(minutes=10), max_age=timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Retention()),
        ("{events: 30d, runs: 36h, max_size: 500MB, traces: 0}",
         Retention(events=timedelta(days=30), runs=timedelta(hours=36), max_size_bytes=500_000_000, traces=0)),
        ("{events: off, runs: off, max_size: off, traces: off}",
         Retention(events=None, runs=None, max_size_bytes=None, traces=None)),
    ],
)  # fmt: skip
def test_retention_is_read(tmp_path, text, expected):
    assert settings(tmp_path, f"retention: {text}\n").retention == expected


def test_catch_up_is_off_until_it_says_when(tmp_path):
    assert settings(tmp_path, "catch_up: {every: off}\n").account.catch_up == CatchUp()


def test_accounts_take_nothing_over_from_the_top_level(tmp_path):
    project = settings(
        tmp_path,
        "service: engage_eu\nsource_number: ACME\nlimits: {calls: 7}\nsub_account: Shop\naccounts:\n  nz:\n"
        '    service: etxt\n    sub_account: 42\n    credentials: {api_key: "{{ secrets.K }}", '
        'api_secret: "{{ secrets.S }}", auth: hmac}\n',
    )
    assert list(project.all_accounts) == ["default", "nz"]
    nz = project.accounts["nz"]
    assert (nz.name, nz.service, nz.sub_account, nz.source_number, nz.limits) == ("nz", "etxt", "42", None, Limits())
    assert (nz.credentials.auth, nz.credentials.api_key.source) == ("hmac", "{{ secrets.K }}")
    assert (project.account.limits.calls, project.account.sub_account) == (7, "Shop")


def test_questions_to_the_provider_have_a_short_and_a_long_form():
    def actions(*steps):
        return [step.action for step in flow("on: opt_out\nsteps:\n" + "".join(f"  - {s}\n" for s in steps)).steps]

    short, long = actions('get_message_status: "{{ vars.id }}"', "cancel_message: {message_id: abc, account: nz}")
    assert (type(short), short.message_id.source, short.account) == (GetMessageStatus, "{{ vars.id }}", None)
    assert (type(long), long.message_id.source, long.account) == (CancelMessage, "abc", "nz")
    assert actions("get_sender_ids:", "get_sender_ids: {account: nz}") == [
        GetSenderIds(),
        GetSenderIds(account="nz"),
    ]
    ours, theirs, there = actions("opt_out:", "opt_in: +61491570156", "opt_in: {account: nz}")
    assert ours == SetOptOut(is_opted_out=True)
    assert (theirs.is_opted_out, theirs.number.source, theirs.account) == (False, "+61491570156", None)
    assert there == SetOptOut(is_opted_out=False, account="nz")


def test_triggers_on_opt_outs_and_on_receipts_of_flows_are_read():
    built = flow(
        "account: nz\non:\n  opt_out: [{from: '+64*'}, {to: 1234}]\n  delivery_receipt: {flow: [a, b]}\n"
        "steps:\n  - reply: {message: x, account: au}\n"
    )
    first, second, receipt = built.triggers
    assert (type(first), first.from_, first.to, second.to) == (OptOut, ("+64*",), (), ("1234",))
    assert (type(receipt), receipt.flow) == (DeliveryReceipt, ("a", "b"))
    assert (built.account, built.steps[0].action.account) == ("nz", "au")
