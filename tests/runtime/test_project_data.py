"""What a project's lists, calendars, language and staff do in the daemon."""

from datetime import date, timedelta

STAFF, CUSTOMER = "+61491570156", "+61491570157"
GREET = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"


def on_call(house, *numbers: str) -> None:
    (house.root / "oncall.csv").write_text("\n".join(("number,name", *(f"{number},Joe" for number in numbers), "")))


def test_staff_of_a_list_is_exempt_from_the_brake_as_the_list_is_now(play, house, eventually):
    on_call(house, STAFF)
    house.flow(GREET)

    async def scenario(house):
        for _ in range(2):
            await house.text_in("HI", STAFF)
            await house.text_in("HI", CUSTOMER)
        await eventually(lambda: len(house.got()) == 3)
        assert [number for number, _ in house.got()].count(STAFF) == 2
        on_call(house, CUSTOMER)
        await house.daemon.reload()
        await house.text_in("HI", STAFF)
        await house.text_in("HI", CUSTOMER)
        await eventually(lambda: len(house.got()) == 4)
        assert [number for number, _ in house.got()].count(CUSTOMER) == 2

    policy = "{staff: {list: oncall}, max_sends_per_contact: {max: 1, per: 24h}}"
    play(scenario, lists="{oncall: oncall.csv}", policy=policy)


def test_templates_and_filters_see_lists_and_calendars(play, house, eventually):
    on_call(house, STAFF)
    days = (f"{date.today() + timedelta(days=ahead)}" for ahead in range(-3, 4))
    (house.root / "closed.csv").write_text("\n".join(("day", *days)))
    house.flow(
        """\
name: team
on:
  - inbound_sms: {keyword: WHO, from: {list: oncall}}
if: calendars.always.is_open() and not calendars.never.is_open(now())
steps:
  - reply: "{{ lists.oncall | length }} on call: {{ lists.oncall[0].name }}, you are one: {{ contact.number in lists.oncall }}"
"""  # noqa: E501
    )
    house.flow(
        """\
name: others
on: {inbound_sms: {keyword: WHO}}
priority: -1
steps: [{reply: {en: Nobody., de: Niemand.}}]
""",
        "others.yaml",
    )

    async def scenario(house):
        await house.text_in("who", STAFF)
        await eventually(lambda: len(house.got()) == 1)
        await house.text_in("who", CUSTOMER)
        await eventually(lambda: len(house.got()) == 2)
        assert house.got() == [(STAFF, "1 on call: Joe, you are one: true"), (CUSTOMER, "Niemand.")]

    week = "mon-sun: 00:00-24:00"
    play(
        scenario,
        lists="{oncall: oncall.csv}",
        language="de",
        calendars=f"{{always: {{weekly: {{{week}}}}}, never: {{weekly: {{{week}}}, closed: closed.csv}}}}",
    )
