"""`sinchflow apply`: makes the webhooks at the provider what the project wants."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinchflow.cli.invocation import root_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinchflow.cli.webhooks import Section, Site
    from sinchflow.deploy.apply import Applied
    from sinchflow.deploy.selftest import Tested
    from sinchflow.deploy.show import Tone

_ADVICE = """\
Advice for account {account}: catch-up is off. What Sinch cannot deliver while the daemon is down is lost for sinchflow
after the last retry. With `catch_up: {{on_start: true, every: 10m}}` it fetches replies and receipts that webhooks
missed, stores them, and confirms them to Sinch, which hides them from other programs that poll this account. So turn it
on where nobody else reads the account."""

_MARKS: "dict[str, tuple[str, Tone]]" = {
    "ok": ("ok", "add"),
    "failed": ("FAILED", "remove"),
    "unreachable": ("not tested", "quiet"),
}


def apply(
    context: typer.Context,
    *,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only this account.", show_default="all")
    ] = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option("--adopt", metavar="ID", help="Take over this webhook in the way; may be given several times."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Create, change and replace our webhooks at Sinch until they are what the project wants, then test them.

    Needs webhooks.public_url, the address at which Sinch reaches `sinchflow run`. A second time it finds nothing to do.
    On a terminal it asks before it changes anything. At the end it calls our public addresses: does the daemon answer?

    \b
    Exit codes: 0 done; 1 a webhook is in the way, or something else answers there; 4 Sinch or the network refused.

    \b
    Examples:
      sinchflow apply
      sinchflow apply --yes --json
      sinchflow apply --adopt 8c2b6a0e-0f6f-4d0c-9d3b-0e5b2f6a7c11
    """
    from sinchflow.cli.plan import show
    from sinchflow.cli.provider import Provider
    from sinchflow.cli.webhooks import Site, is_agreed

    site = Site(Provider(root_of(context)), account)
    sections = site.plans(adopt or ())
    has_work = any(section.plan.to_do for section in sections)
    if not as_json:
        show(site, sections)
    if has_work and not yes and sys.stdin.isatty() and not is_agreed("Do it?"):
        print("Nothing was changed.", file=sys.stderr)
        raise typer.Exit(1)
    applied = carry_out(site, sections)
    tests = {section.plan.account: _test(site, section) for section in sections} if not failed(applied) else {}
    if as_json:
        print(json.dumps({"accounts": [_data(site, *pair, tests) for pair in zip(sections, applied, strict=True)]}))
    else:
        in_the_way = any(section.plan.conflicts for section in sections)
        tell(applied, ("Done." if has_work else "Nothing to do.") + " Something is in the way, see above." * in_the_way)
        _tell_tests(tests)
        for section in sections:
            if _lacks_catch_up(section):
                print(_ADVICE.format(account=section.plan.account))
    has_trouble = any(section.plan.conflicts for section in sections) or any(
        each.state == "failed" for results in tests.values() for each in results
    )
    if code := exit_code(applied) or int(has_trouble):
        raise typer.Exit(code)


def carry_out(site: "Site", sections: "Sequence[Section]") -> "list[Applied]":
    """Apply the plans, account by account, up to the first failure."""
    from functools import partial

    from sinchflow.deploy.apply import Applied, apply, in_order, step_words

    done: list[Applied] = []
    for section in sections:
        plan = section.plan
        if failed(done):
            left = tuple(step_words(step, site.mask) for step in in_order(plan))
            done.append(Applied(account=plan.account, not_done=left))
        elif plan.to_do:
            do = partial(apply, plan=plan, name=site.settings.name, mask=site.mask)
            done.append(site.reach(section.connection, do))
        else:
            done.append(Applied(account=plan.account))
    return done


def failed(applied: "Sequence[Applied]") -> bool:
    """Whether one of them stopped."""
    return any(each.failed is not None for each in applied)


def exit_code(applied: "Sequence[Applied]") -> int:
    """What the command ends with."""
    return 4 if any(each.is_refusal for each in applied) else int(failed(applied))


def tell(applied: "Sequence[Applied]", end: str) -> None:
    """What was done, where it stopped and what was not done; `end` when nothing stopped it."""
    for each in applied:
        for line in each.done:
            print(f"account {each.account}: {line}")
        if each.failed is not None:
            print(f"sinchflow: account {each.account}: {each.failed}", file=sys.stderr)
        for line in each.not_done:
            print(f"sinchflow: account {each.account}: not done: {line}", file=sys.stderr)
    if not failed(applied):
        print(end)


def _test(site: "Site", section: "Section") -> "Sequence[Tested]":
    import asyncio

    from sinchflow.deploy.selftest import self_test

    return asyncio.run(self_test(section.wanted, site.hooks, section.plan.account))


def _tell_tests(tests: "dict[str, Sequence[Tested]]") -> None:
    from sinchflow.cli.webhooks import print_lines
    from sinchflow.deploy.show import Line

    for account, results in tests.items():
        print(f"Self-test of account {account}")
        for each in results:
            mark, tone = _MARKS[each.state]
            print_lines([Line(f"  {each.kind:<9} {each.url}  {mark}: {each.words}", tone)])


def _data(site: "Site", section: "Section", applied: "Applied", tests: "dict[str, Sequence[Tested]]") -> dict[str, Any]:
    import msgspec

    from sinchflow.deploy.show import change_data

    return {
        **msgspec.to_builtins(applied),
        "conflicts": [change_data(each, site.mask) for each in section.plan.conflicts],
        "self_test": msgspec.to_builtins(tests.get(section.plan.account, ())),
        "catch_up": not _lacks_catch_up(section),
    }


def _lacks_catch_up(section: "Section") -> bool:
    catch_up = section.connection.catch_up
    return catch_up is None or (not catch_up.on_start and catch_up.every is None)
