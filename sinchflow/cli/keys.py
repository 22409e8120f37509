"""`sinchflow keys`: the keys with which Sinch signs what it pushes."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import UsageError

if TYPE_CHECKING:
    from sinchflow.cli.signing import Signing, State

_Account = Annotated[str, typer.Option("--account", metavar="NAME", help="Of which account of the project.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
_Force = Annotated[bool, typer.Option("--force", help="Do it although the daemon will refuse pushes.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")]


class Digest(StrEnum):
    """How what is signed is digested."""

    SHA224 = "SHA224"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


_Digest = Annotated[Digest, typer.Option("--digest", help="How what is signed is digested.")]


def build() -> typer.Typer:
    """The `keys` commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    app.command("list", short_help="Which keys there are, here and at Sinch.")(list_keys)
    app.command("create", short_help="Make a key and store its public part.")(create)
    app.command("enable", short_help="Let Sinch sign with this key.")(enable)
    app.command("disable", short_help="Let Sinch sign no more.")(disable)
    app.command("rotate", short_help="Make a new key and sign with it.")(rotate)
    app.command("delete", short_help="Delete a key at Sinch and here.")(delete)
    return app


def _about() -> None:
    """Manage the keys with which Sinch signs what it pushes (a paid feature of the account: Enterprise Webhooks).

    Sinch keeps the private part; the public part is stored in signature-keys.json of the project. It is no secret:
    commit the file to Git. As soon as a key of an account is stored, the daemon refuses pushes that are not signed
    (webhooks.signature: auto).

    \b
    Examples:
      sinchflow keys create --enable
      sinchflow keys list
      sinchflow keys rotate
    """


def list_keys(context: typer.Context, account: _Account = "default", as_json: _Json = False) -> None:
    """List the account's keys: which one signs, and whose public part is stored here.

    \b
    Example:
      sinchflow keys list --account nz
    """
    _tell(_signing(context, account).state(), as_json)


def create(
    context: typer.Context,
    account: _Account = "default",
    digest: _Digest = Digest.SHA256,
    enable: Annotated[bool, typer.Option("--enable", help="Let Sinch sign with it at once.")] = False,
    as_json: _Json = False,
) -> None:
    """Make a key at Sinch and store its public part, which Sinch shows only this once.

    Without --enable nothing is signed with it yet: commit signature-keys.json, bring it to the daemon, then enable it.
    The first key of an account is better enabled at once: a daemon that has a key demands signatures.

    \b
    Examples:
      sinchflow keys create --enable
      sinchflow keys create --digest SHA512
    """
    signing = _signing(context, account)
    key = signing.create(digest.value)
    words = f"Created key {key.key_id} and stored its public part in signature-keys.json: commit that file to Git."
    if enable:
        signing.enable(key.key_id)
        words += " Sinch signs with it from now on."
    _tell(signing.state(), as_json, words)


def enable(
    context: typer.Context, key_id: _Id, account: _Account = "default", force: _Force = False, as_json: _Json = False
) -> None:
    """Let Sinch sign with this key; one that was enabled before signs no more.

    \b
    Example:
      sinchflow keys enable 7ca628a8-08b0-4e42-aeb8-960b37049c31
    """
    signing = _signing(context, account)
    if key_id not in signing.stored and not force:
        raise UsageError(
            f"the public part of key {key_id} is not stored in signature-keys.json, so what it signs cannot be "
            "verified and every push would be refused: enable a stored one, or make one with `keys create`; or --force"
        )
    signing.enable(key_id)
    _tell(signing.state(), as_json, f"Sinch signs with key {key_id} from now on.")


def disable(
    context: typer.Context, account: _Account = "default", force: _Force = False, as_json: _Json = False
) -> None:
    """Let Sinch sign no more.

    \b
    Example:
      sinchflow keys disable
    """
    signing = _signing(context, account)
    if signing.demands_signatures and not force:
        raise UsageError(
            "the daemon demands signatures and would refuse every push: set `webhooks: {signature: off}` first, or "
            "delete the keys with `sinchflow keys delete`; or --force"
        )
    signing.disable()
    _tell(signing.state(), as_json, "Sinch signs no more.")


def rotate(
    context: typer.Context, account: _Account = "default", digest: _Digest = Digest.SHA256, as_json: _Json = False
) -> None:
    """Make a new key, store it, and let Sinch sign with it. The daemon accepts both until the old one is deleted.

    The daemon must know the new key when Sinch begins to sign with it. Where it works on another copy of the project,
    do it in steps: `keys create`, commit and bring signature-keys.json there, `keys enable ID`.

    \b
    Example:
      sinchflow keys rotate
      sinchflow keys delete OLD-ID
    """
    signing = _signing(context, account)
    old = signing.state().enabled
    key = signing.create(digest.value)
    signing.enable(key.key_id)
    words = f"Created key {key.key_id}; Sinch signs with it from now on. Commit signature-keys.json to Git."
    if old in signing.stored:
        words += f" The daemon takes both: in an hour or so, end that with `sinchflow keys delete {old}`."
    _tell(signing.state(), as_json, words)


def delete(
    context: typer.Context, key_id: _Id, account: _Account = "default", force: _Force = False, as_json: _Json = False
) -> None:
    """Delete a key at Sinch and its public part here.

    \b
    Example:
      sinchflow keys delete 7ca628a8-08b0-4e42-aeb8-960b37049c31
    """
    signing = _signing(context, account)
    state = signing.state()
    if key_id not in {key.key_id for key in state.keys}:
        raise UsageError(f"there is no key {key_id}, neither at Sinch nor in signature-keys.json: see `keys list`")
    if key_id == state.enabled and signing.demands_signatures and len(signing.stored) > 1 and not force:
        raise UsageError(
            f"Sinch signs with key {key_id}: without it pushes come unsigned and the daemon, which has another key, "
            "refuses them; enable the other first with `sinchflow keys enable`, or --force"
        )
    signing.delete(key_id)
    _tell(signing.state(), as_json, f"Deleted key {key_id}. Commit signature-keys.json to Git.")


def _signing(context: typer.Context, account: str) -> "Signing":
    from sinchflow.cli.signing import Signing

    return Signing(root_of(context), account)


def _tell(state: "State", as_json: bool, words: str = "") -> None:
    """What there is now, after the words on what was done."""
    if as_json:
        import msgspec

        plain: dict[str, Any] = {"done": words, **msgspec.to_builtins(state), "consequence": state.consequence}
        print(json.dumps(plain, indent=2))
        return
    if words:
        print(words)
    print(f"Keys of account {state.account}")
    for key in state.keys:
        signs = "signs" if key.key_id == state.enabled else "     "
        print(f"  {key.key_id}  {key.digest:<6}  {signs}  {key.place}  {key.created or ''}".rstrip())
    if not state.keys:
        print("  none")
    print(state.consequence)
