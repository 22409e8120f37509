"""The simulated Sinch as a process: `python -m sinchflow.simulate.provider`."""

import argparse
import socket
import sys
from collections.abc import Sequence

from sinchflow.simulate.fate import OUTCOMES, Outcome, Timeline
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import Hooks, SimulatedSinch
from sinchflow.simulate.pushes import Pusher


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. The first line on stdout is the URL to use as `base_url`."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if (asked.api_key is None) != (asked.api_secret is None):
        parser.error("--api-key and --api-secret belong together")
    try:
        listener = socket.create_server((asked.host, asked.port), reuse_port=False)
    except OSError as error:
        parser.exit(3, f"cannot listen on {asked.host}:{asked.port}: {error}\n")
    sim = SimulatedSinch(
        api_key=asked.api_key,
        api_secret=asked.api_secret,
        auth=asked.auth,
        number=asked.number,
        features=_features(asked.feature),
        report_lag_s=asked.report_lag,
        page_size=asked.opt_out_page,
        hooks=Hooks(inbound_url=asked.inbound_url, receipts_url=asked.receipts_url),
        receipts=asked.receipts,
        timeline=_timeline(asked.statuses, asked.step),
        outcomes=(*asked.outcome, *OUTCOMES),
        keep=asked.keep,
        pusher=Pusher(
            workers=asked.push_workers,
            retries=asked.retries,
            retry_delay_s=asked.retry_delay,
            retry_scale=asked.retry_scale,
        ),
    )
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    with listener:
        _serve(sim, listener)


def _serve(sim: SimulatedSinch, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        sim.app, log_level="error", access_log=False, lifespan="on", server_header=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run([listener])


def _timeline(statuses: list[str], step_s: float) -> Timeline:
    place = {status: (index + 1) * step_s for index, status in enumerate(statuses)}
    return Timeline(enroute_s=place.get("enroute"), submitted_s=place.get("submitted"), final_s=place.get("final"))


def _statuses(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not set(names) <= {"enroute", "submitted", "final"}:
        raise argparse.ArgumentTypeError("statuses are enroute, submitted and final, separated by commas")
    return names


def _outcome(text: str) -> Outcome:
    number, _, rest = text.partition("=")
    status, _, code = rest.partition(":")
    if not number or not status:
        raise argparse.ArgumentTypeError("an outcome is SUFFIX=STATUS or SUFFIX=STATUS:CODE, as in 0009=failed:330")
    return Outcome(number=number, status=status, status_code=code or "400")


def _feature(text: str) -> tuple[str, bool]:
    name, _, state = text.partition("=")
    if name not in Features.__struct_fields__ or state not in {"on", "off"}:
        raise argparse.ArgumentTypeError(
            f"a feature is NAME=on or NAME=off; names are {', '.join(Features.__struct_fields__)}"
        )
    return name, state == "on"


def _features(asked: Sequence[tuple[str, bool]]) -> Features:
    return Features(**dict(asked))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sinchflow.simulate.provider",
        description="A simulated Sinch. Prints its base URL as the first line. Messages to numbers ending in 0009 "
        "fail, 0008 expire, 0007 are rejected; all others are delivered.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 (the default) takes a free one")
    add("--api-key", help="default: any key is taken")
    add("--api-secret")
    add("--auth", choices=["basic", "hmac", "any"], default="basic", help="the kind of key that calls show (basic)")
    add("--number", default="+61491593156", help="the account's default number")
    add("--feature", type=_feature, action="append", default=[], metavar="NAME=on|off",
        help="switch a feature of the account; may be repeated")  # fmt: skip
    add("--report-lag", type=float, default=0.0, metavar="SECONDS",
        help="time from taking a message until it is in detail reports (0)")  # fmt: skip
    add("--opt-out-page", type=int, default=100, metavar="NUMBERS", help="on one page of the opt-out list (100)")
    add("--inbound-url", help="where inbound messages go besides registered webhooks")
    add("--receipts-url", help="where delivery receipts go besides registered webhooks")
    add("--receipts", action="store_true", help="push receipts for messages that ask for them")
    add("--statuses", type=_statuses, default=["enroute", "submitted", "final"], metavar="LIST",
        help="what is reported, in order (enroute,submitted,final)")  # fmt: skip
    add("--step", type=float, default=0.2, metavar="SECONDS", help="time from one status to the next (0.2)")
    add("--outcome", type=_outcome, action="append", default=[], metavar="SUFFIX=STATUS[:CODE]",
        help="what becomes of messages to numbers with this ending; may be repeated")  # fmt: skip
    add("--retries", type=int, default=5, help="of a push to these URLs that is not acknowledged (5)")
    add("--retry-delay", type=float, default=60.0, metavar="SECONDS", help="between two attempts at such a push (60)")
    add("--retry-scale", type=float, default=1.0, metavar="FACTOR",
        help="how long a second of a registered webhook's retry_delay takes (1)")  # fmt: skip
    add("--push-workers", type=int, default=8, help="pushes at a time (8)")
    add("--keep", type=int, default=None, help="messages and calls to remember (all)")
    return parser
