"""The account's signature keys at the provider (sinch-api.md section 10.1). A paid feature: 403 where it is off.

The public part of a key is told once, by `create_key`; whoever calls it must keep it.
"""

from typing import Any

import msgspec

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask
from sinchflow.sinch.signature import SignatureKey
from sinchflow.sinch.target import path_part

_PATH = "/v1/iam/signature_keys"
_PAGE_SIZE = 20
_MOST_PAGES = 1_000


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the provider lists it: without its public part."""

    key_id: str
    digest: str = ""
    cipher: str = "RSA"
    created: str | None = None
    enabled: bool = False


async def create_key(calls: Calls, digest: str, account: str = "default") -> SignatureKey:
    """A new key, not yet enabled. digest: SHA224, SHA256 or SHA512. account: noted in the key. Raises CallFailed."""
    answer = await ask(calls, "POST", _PATH, {"digest": digest, "cipher": "RSA"}, expect=(200, 201))
    try:
        return msgspec.convert({**answer, "account": account}, SignatureKey)
    except (msgspec.ValidationError, TypeError):
        raise CallFailed(
            "the provider made a key, but its answer cannot be read: delete it with `keys delete`", "unknown"
        ) from None


async def list_keys(calls: Calls) -> list[KeyInfo]:
    """All keys, over all pages. Raises CallFailed."""
    found: dict[str, KeyInfo] = {}
    for page in range(1, _MOST_PAGES):  # from 1, unlike webhooks
        answer = await ask(calls, "GET", f"{_PATH}?page={page}&page_size={_PAGE_SIZE}")
        if not isinstance(answer, list):
            raise CallFailed("the provider's answer is no list of signature keys; check base_url", "unknown")
        keys = [_info(each) for each in answer]
        is_news = any(key.key_id not in found for key in keys)
        found |= {key.key_id: key for key in keys}
        if len(keys) < _PAGE_SIZE or not is_news:
            break
    return list(found.values())


async def enabled_key(calls: Calls) -> KeyInfo | None:
    """The key with which pushes are signed; None when they are not. Raises CallFailed."""
    try:
        return _info(await ask(calls, "GET", f"{_PATH}/enabled"))
    except CallFailed as failure:
        if failure.status == 404:
            return None
        raise


async def enable_key(calls: Calls, key_id: str) -> KeyInfo:
    """Sign with this key from now on; one that was enabled before is disabled. Raises CallFailed."""
    return _info(await ask(calls, "PATCH", f"{_PATH}/enabled", {"key_id": key_id}))


async def disable_keys(calls: Calls) -> None:
    """Sign no more. Raises CallFailed."""
    await ask(calls, "DELETE", f"{_PATH}/enabled", expect=(200, 204), reads=False)


async def delete_key(calls: Calls, key_id: str) -> None:
    """Delete a key. Raises CallFailed: 404 when it is gone already."""
    if key_id == "enabled":  # that path would disable the key in use
        raise CallFailed('"enabled" is no id of a key', "refused")
    await ask(calls, "DELETE", f"{_PATH}/{path_part(key_id, 'id of a key')}", expect=(200, 204), reads=False)


def _info(entry: Any) -> KeyInfo:
    try:
        return msgspec.convert(entry, KeyInfo)
    except msgspec.ValidationError as error:
        raise CallFailed(f"the provider tells of a key that cannot be read: {error}", "unknown") from None
