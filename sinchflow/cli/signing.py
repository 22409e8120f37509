"""An account's signature keys, here and at the provider, for the `keys` commands.

A public key that was created is stored before anything else happens: the provider shows it once. A command imports
this module when it runs, not when the command line is built.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from sinchflow.cli.provider import Provider, reach
from sinchflow.errors import CannotStart, ProviderError
from sinchflow.runtime.keyring import KEYS_FILE, read_keys, write_keys
from sinchflow.sinch import signature_keys
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.signature import SignatureKey
from sinchflow.sinch.signature_keys import KeyInfo

T = TypeVar("T")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key, at the provider, here or both."""

    key_id: str
    digest: str
    created: str | None
    is_stored: bool
    is_at_sinch: bool

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if not self.is_at_sinch:
            return "stored here, gone at Sinch"
        return "stored here" if self.is_stored else "not stored here: cannot be verified"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of an account. enabled: the id of the one that signs. signature: the project's setting."""

    account: str
    keys: tuple[Key, ...]
    enabled: str | None
    signature: str

    @property
    def consequence(self) -> str:
        """What the daemon makes of it."""
        stored = [key.key_id for key in self.keys if key.is_stored]
        if self.signature == "off":
            return "The daemon does not look at signatures: webhooks.signature is off."
        if not stored:
            refusal = "does not start: webhooks.signature is on" if self.signature == "on" else "demands no signatures"
            return f"Without a stored key the daemon {refusal}."
        if self.enabled is None:
            return "WARNING: Sinch signs with no key, and the daemon refuses what is not signed: enable a stored key."
        if self.enabled not in stored:
            return "WARNING: Sinch signs with a key that is not stored here, so the daemon refuses every push."
        return f"The daemon takes what is signed with {'a stored key' if len(stored) > 1 else 'the stored key'} only."


class Signing:
    """One account's keys."""

    def __init__(self, root: Path, account: str) -> None:
        provider = Provider(root)
        self._root = root
        self._account = account
        self._connection = provider.connection(account)
        self._signature = provider.project.webhooks.signature
        self.stored = {key.key_id: key for key in read_keys(root) if key.account == account}

    @property
    def demands_signatures(self) -> bool:
        """Whether the daemon refuses what is not signed."""
        return self._signature == "on" or (self._signature == "auto" and bool(self.stored))

    def state(self) -> State:
        """What there is now."""

        async def look(calls: Calls) -> State:
            there = {key.key_id: key for key in await signature_keys.list_keys(calls)}
            enabled = await signature_keys.enabled_key(calls)
            gone = [key for key in self.stored.values() if key.key_id not in there]
            keys = [self._key(key, is_at_sinch=True) for key in there.values()]
            return State(
                account=self._account,
                keys=(*keys, *(self._key(key, is_at_sinch=False) for key in gone)),
                enabled=None if enabled is None else enabled.key_id,
                signature=self._signature,
            )

        return self._reach(look)

    def create(self, digest: str) -> SignatureKey:
        """Make a key and store its public part. Raises CannotStart with the public part when it cannot be stored."""
        if not os.access(self._root, os.W_OK):
            raise CannotStart(f"{self._root / KEYS_FILE} cannot be written: no key is created that could not be kept")
        key = self._reach(lambda calls: signature_keys.create_key(calls, digest, self._account))
        try:
            write_keys(self._root, [*read_keys(self._root), key])
        except CannotStart as error:
            raise CannotStart(
                f"{error}; key {key.key_id} was created, keep its public part: {key.public_key}"
            ) from error
        self.stored[key.key_id] = key
        return key

    def enable(self, key_id: str) -> None:
        """Let the provider sign with this key."""
        self._reach(lambda calls: signature_keys.enable_key(calls, key_id))

    def disable(self) -> None:
        """Let the provider sign no more."""
        self._reach(signature_keys.disable_keys)

    def delete(self, key_id: str) -> None:
        """Delete it at the provider, where it may be gone already, then here."""
        try:
            self._reach(lambda calls: signature_keys.delete_key(calls, key_id))
        except ProviderError as error:
            if not (isinstance(error.__cause__, CallFailed) and error.__cause__.status == 404):
                raise
        if self.stored.pop(key_id, None) is not None:
            write_keys(self._root, [key for key in read_keys(self._root) if key.key_id != key_id])

    def _key(self, key: SignatureKey | KeyInfo, *, is_at_sinch: bool) -> Key:
        is_stored = key.key_id in self.stored
        return Key(
            key_id=key.key_id, digest=key.digest, created=key.created, is_stored=is_stored, is_at_sinch=is_at_sinch
        )

    def _reach(self, ask: Callable[[Calls], Awaitable[T]]) -> T:
        try:
            return reach(self._connection, ask)
        except ProviderError as error:
            if isinstance(error.__cause__, CallFailed) and error.__cause__.status == 403:
                raise ProviderError(
                    f"account {self._account}: Sinch does not sign for this account: ask Sinch for Enterprise Webhooks "
                    f"or use `webhooks: {{secret: …}}` instead ({error})"
                ) from error.__cause__
            raise
