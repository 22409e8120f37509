"""`sinchflow dev`: a rehearsal with the customer's phone in the terminal and as a web page."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.cli.screen import console as styled_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from sinchflow.runtime.daemon import Options
    from sinchflow.simulate.dev import Dev

#: The first customer, from the range that Australia keeps for fiction.
_CUSTOMER = "+61491570156"


def dev(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="For webhooks; 0 takes a free one.")] = 8080,
    admin_port: Annotated[
        int, typer.Option("--admin-port", min=0, max=65535, help="For the phone page and commands.")
    ] = 8081,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Keep the journal here.", show_default="a temporary folder"),
    ] = None,
    live_http: Annotated[
        bool, typer.Option("--live-http", help="Let `http` steps really call; else a stand-in answers 200 and {}.")
    ] = False,
    customer: Annotated[
        str, typer.Option("--customer", metavar="NUMBER", help="Whose phone the terminal is.")
    ] = _CUSTOMER,
) -> None:
    """Try the flows: the daemon with a simulated Sinch. Needs no credentials, network or settings.

    Type a text and Enter, and you have texted in as a customer; replies, receipts and calls of URLs are shown as they
    come. The same as a web page is at the address that is printed. Flows are reloaded when their files change.
    With piped input each line is one text, and the end of the input ends the rehearsal.

    \b
    Examples:
      sinchflow dev
      sinchflow -C shop dev --port 9000
      echo HOURS | sinchflow dev
    """
    import asyncio
    import tempfile

    import uvloop

    from sinchflow.runtime.daemon import Options

    root = root_of(context)
    with contextlib.ExitStack() as undo:
        folder = data or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="sinchflow-dev-")))
        options = Options(root=root, data=folder, port=port, admin_port=admin_port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_rehearse(options, customer, is_live_http=live_http))


async def _rehearse(options: "Options", customer: str, *, is_live_http: bool) -> None:
    import asyncio
    import signal

    from sinchflow.console import phone
    from sinchflow.simulate.dev import Dev
    from sinchflow.simulate.terminal import Terminal

    dev = Dev(options, is_live_http=is_live_http)
    console = styled_console()
    await dev.start(phone.routes(dev.conversation.after, dev.text_in, [customer]))
    try:
        is_typed = sys.stdin.isatty() and sys.stdout.isatty()
        _greet(console, dev, options.root, is_live_http=is_live_http)
        if is_typed:
            for line in _webhook_lines(dev):
                console.print(f"  {line}", markup=False, soft_wrap=True)
            console.print(f"  Type a text and Enter to send it as {customer}; /help shows more, Ctrl-C ends.")
        console.print()
        terminal = Terminal(dev, console, customer, is_typed=is_typed)
        conversing = asyncio.create_task(terminal.converse())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, conversing.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await conversing
    finally:
        await dev.stop()


def _webhook_lines(dev: "Dev") -> "Iterator[str]":
    from sinchflow.deploy.flow_calls import rehearsal_lines

    flows = dev.daemon.worker.catalog.flows.values()
    return rehearsal_lines(flows, f"http://127.0.0.1:{dev.daemon.port}", dev.stand_ins())


def _greet(console: "Console", dev: "Dev", root: Path, *, is_live_http: bool) -> None:
    flows = len(dev.flows)
    count = "1 flow" if flows == 1 else f"{flows} flows"
    hook = f"http://127.0.0.1:{dev.daemon.port}/hooks/dev/inbound"
    leaves = "only http steps leave" if is_live_http else "nothing leaves"
    console.print("sinchflow dev", style="bold", end="")
    console.print(f"  {count} from {root / 'flows'}; {leaves} this machine", markup=False, soft_wrap=True)
    console.print(f"  the customer's phone   http://127.0.0.1:{dev.daemon.admin_port}/phone", soft_wrap=True)
    console.print(f"  webhooks               {hook}", soft_wrap=True)
    if not flows:
        console.print("  There is no flow yet: put one into flows/ and it is picked up at once.")
