"""Steps that ask for something, and what their outcomes come to.

What a step asks for and gives is said by `asking`, `sending` and `waiting`; here it is decided how the walk goes on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.address import following, is_beside
from sinchflow.engine.asking import output_of
from sinchflow.engine.branching import HALT, Branching, Place
from sinchflow.engine.caller import Caller
from sinchflow.engine.cursors import position_of
from sinchflow.engine.retrying import CannotRetry
from sinchflow.engine.sending import reask_command, send_commands, send_output
from sinchflow.engine.tally import count, new_tally, sent_again, tally_output
from sinchflow.engine.trace import asked_words
from sinchflow.engine.waiting import asking_again, reply_output, reply_wait, run_output, sleep, sleep_until
from sinchflow.model.command import Command, Failed, Outcome, Replied, RunEnded, Sent, Woken
from sinchflow.model.flow import Delay, RunFlow, SendSms, Step, WaitForReply
from sinchflow.model.run import Cursor, Tally

#: Messages of one step that the trace shows.
_MOST_SAID = 20


class Settling(Branching):
    """The part of a `Walk` that asks and takes what comes of it."""

    def _send(self, step: Step, action: SendSms, caller: Caller, scope: Mapping[str, Any]) -> Place:
        sends = send_commands(action, step, caller, scope, self._templates)
        tally = new_tally([command.to for command in sends.commands], sends.skipped)
        self._say_asked(step, sends.commands)
        self._draft.commands.extend(sends.commands)
        if sends.commands:
            self._draft.wait(Cursor(address=step.address, tally=tally))
            if sends.skipped and (problem := self._draft.too_large()):
                self._draft.cursors.pop(step.address)
                del self._draft.commands[-len(sends.commands) :]
                return self._fail(step, "limit", problem)
            return HALT
        return self._output(step, tally_output(tally))

    def _say_asked(self, step: Step, commands: Sequence[Command]) -> None:
        for command in commands[:_MOST_SAID]:
            self._draft.record(step.address, "command", asked_words(command))

    def _send_rest(self, step: Step, action: SendSms, before: Tally, scope: Mapping[str, Any]) -> Place:
        """On a retry: send what of the step's messages was not sent."""
        sends = send_commands(action, step, self._draft.caller(), scope, self._templates)
        found = sent_again(before, [command.to for command in sends.commands])
        if found is None:
            raise CannotRetry(
                f"step {step.id or step.address} had sent some of its messages, and whom it sends to has changed "
                "since: nobody can say who is still to get one"
            )
        tally, positions = found
        if not positions:
            return self._output(step, tally_output(tally))
        commands = [sends.commands[position] for position in positions]
        self._say_asked(step, commands)
        self._draft.commands.extend(commands)
        self._draft.wait(Cursor(address=step.address, tally=tally))
        return HALT

    def _ask(self, step: Step, commands: Sequence[Command]) -> Place:
        """Halt at the step until its commands have outcomes."""
        if problem := self._draft.too_large(commands):
            return self._fail(step, "limit", problem)
        self._say_asked(step, commands)
        self._draft.commands.extend(commands)
        self._draft.wait(Cursor(address=step.address, commands=tuple(commands)))
        return HALT

    def _delay(self, step: Step, action: Delay, caller: Caller, scope: Mapping[str, Any]) -> Place:
        until = sleep_until(action, caller, scope, self._templates)
        if until > self._draft.now:
            return self._ask(step, [sleep(step, caller, until)])
        self._draft.record(step.address, "skipped", "its time is past")
        if action.if_past == "stop":
            self._draft.end("stopped", f"the time of step {step.id or step.address} was past")
            return HALT
        place = following(self._flow, step.address)
        if action.if_past == "skip" and isinstance(place, str) and is_beside(place, step.address):
            self._draft.record(place, "skipped", "the time before it was past")
            return following(self._flow, place)
        return place

    def _settle(self, step: Step, cursor: Cursor, outcome: Outcome) -> Place:
        """Where to go on with this outcome; nowhere while the step waits for more."""
        if cursor.tally is not None:
            return self._count(step, cursor, outcome)
        cursor = replace(cursor, outcomes=(*cursor.outcomes, outcome))
        self._draft.cursors[cursor.address] = cursor
        if len({each.command for each in cursor.outcomes if each.command}) < len(cursor.commands):
            return HALT
        return self._finish(step, cursor)

    def _count(self, step: Step, cursor: Cursor, outcome: Outcome) -> Place:
        position = position_of(self._draft.run, cursor, outcome.command)
        assert cursor.tally is not None
        assert position is not None
        tally = count(cursor.tally, position, outcome)
        if isinstance(outcome, Sent) and (message_id := outcome.message.get("message_id")):
            self._draft.sent((str(message_id),))
        if int(tally.open, 16):
            self._draft.cursors[cursor.address] = replace(cursor, tally=tally)
            return HALT
        del self._draft.cursors[cursor.address]
        if step.id is None and tally.failure is None and isinstance(step.action, SendSms):
            return following(self._flow, step.address)  # nobody can ask for its output
        output = tally_output(tally)
        if isinstance(step.action, WaitForReply) and not isinstance(output, Failed):  # it had asked again
            return self._wait_again(step, step.action, cursor)
        return self._output(step, output)

    def _finish(self, step: Step, cursor: Cursor) -> Place:
        """The step has all it waited for."""
        del self._draft.cursors[cursor.address]
        only = cursor.outcomes[0]
        match step.action:
            case SendSms():  # begun by an earlier release, which kept each message's outcome
                return self._output(step, send_output(cursor.outcomes))
            case WaitForReply() as action:
                return self._answered(step, action, cursor, only)
            case Delay():
                return following(self._flow, step.address)
            case RunFlow() as action if isinstance(only, RunEnded):
                return self._ended(step, action, cursor, only)
            case _:
                return self._output(step, output_of(step, only))

    def _ended(self, step: Step, action: RunFlow, cursor: Cursor, outcome: RunEnded) -> Place:
        """The other run has ended. One that failed may be retried together with this one, which waits for it then."""
        output = run_output(action, outcome)
        if not isinstance(output, Failed) or outcome.status != "failed":
            return self._output(step, output)
        stand = self._draft.standing(step.address, *self._to_walk)
        if stand is not None and self._draft.handled is None:
            stand = replace(stand, at=stand.at[1:], cursors=(*stand.cursors, replace(cursor, outcomes=())))
        return self._fail(step, output.kind, output.message, stand=stand)

    def _answered(self, step: Step, action: WaitForReply, cursor: Cursor, outcome: Outcome) -> Place:
        """An answer has come, or the wait has run out. One that fits no category is asked for again, so many times."""
        otherwise = action.otherwise
        fits = isinstance(outcome, Woken) or (isinstance(outcome, Replied) and outcome.category is not None)
        if fits or not action.categories or otherwise is None:
            return self._output(step, reply_output(outcome))
        tries = cursor.tries + 1
        if tries > otherwise.attempts:
            return self._output(step, reply_output(outcome, is_other=True))
        scope, caller = self._enter(step.address), asking_again(self._draft.caller(), cursor.commands[0], outcome)
        command = reask_command(otherwise.reply, step.address, tries, caller, scope, self._templates)
        self._draft.record(step.address, "command", asked_words(command))
        self._draft.commands.append(command)
        self._draft.wait(Cursor(address=step.address, tally=new_tally((command.to,), ()), tries=tries))
        return HALT

    def _wait_again(self, step: Step, action: WaitForReply, cursor: Cursor) -> Place:
        scope = self._enter(step.address)
        ids = self._draft.message_ids
        wait = reply_wait(action, step.address, cursor.tries, self._draft.caller(), ids, scope, self._templates)
        wait = replace(wait, id=f"{wait.id}w")
        self._draft.commands.append(wait)
        self._draft.wait(Cursor(address=step.address, commands=(wait,), tries=cursor.tries))
        return HALT
