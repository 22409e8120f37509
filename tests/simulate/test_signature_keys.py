"""Signature keys as an API, and the signatures that pushes then carry, verified here by the documented rules."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import Hooks, SimulatedSinch
from sinchflow.simulate.pushes import Pusher

PATH = "/v1/iam/signature_keys"
NONE = "7ca628a8-08b0-4e42-aeb8-960b37049c31"


def test_key_lives_from_creation_to_deletion(talk: Any, fits: Any) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        made = await http.post(PATH, json={"digest": "SHA512", "cipher": "RSA"})
        assert made.status_code == 201
        fits("Createsignaturekeyresponse", made.json())
        first = made.json()
        shown = {name: value for name, value in first.items() if name != "public_key"}
        second = (await http.post(PATH, json={"digest": "SHA256", "cipher": "RSA"})).json()
        one = await http.get(f"{PATH}/{first['key_id']}")
        fits("Getsignaturekeydetailresponse", one.json())
        assert one.json() == shown
        assert (await http.get(f"{PATH}/enabled")).json() == {"message": "Currently no key is enabled"}
        for key in (first, second):
            enabled = await http.patch(f"{PATH}/enabled", json={"key_id": key["key_id"]})
            fits("Enablesignaturekeyresponse", enabled.json())
            assert (enabled.status_code, enabled.json()["enabled"]) == (200, True)
            assert (await http.get(f"{PATH}/enabled")).json() == enabled.json()
        listed = await http.get(PATH, params={"page": 1, "page_size": 20})
        assert [(key["key_id"], key["enabled"]) for key in listed.json()] == [
            (first["key_id"], False),
            (second["key_id"], True),
        ]
        for key in listed.json():
            fits("Getsignaturekeylistresponse", key)
        pages = [(await http.get(PATH, params={"page": page, "page_size": 1})).json() for page in (1, 2, 3)]
        assert pages == [listed.json()[:1], listed.json()[1:], []]
        assert [(await http.delete(f"{PATH}/enabled")).status_code for _ in range(2)] == [204, 204]
        assert (await http.get(f"{PATH}/enabled")).status_code == 404
        await http.patch(f"{PATH}/enabled", json={"key_id": first["key_id"]})
        gone = [await http.delete(f"{PATH}/{first['key_id']}") for _ in range(2)]
        assert [answer.status_code for answer in gone] == [200, 404]
        assert (await http.get(f"{PATH}/enabled")).status_code == 404

    talk(SimulatedSinch(), main)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", "", {"digest": "MD5", "cipher": "RSA"}, 400, ["/digest: [MD5] is invalid"]),
        ("POST", "", {"digest": "SHA256", "cipher": "RA"}, 400, ["/cipher: [RA] is invalid"]),
        ("POST", "", {}, 400, ["/cipher: [] is invalid", "/digest: [] is invalid"]),
        ("GET", "", None, 400, ["page property value is invalid", "page_size property value is invalid"]),
        ("GET", "?page=0&page_size=20", None, 400, ["page property value is invalid"]),
        ("GET", "?page=1&page_size=101", None, 400, ["page_size property value is invalid"]),
        ("PATCH", "/enabled", {}, 400, ["/key_id: Key id cannot be null"]),
        ("PATCH", "/enabled", {"key_id": NONE}, 404, "Entity not found"),
        ("GET", f"/{NONE}", None, 404, "Entity not found"),
        ("DELETE", f"/{NONE}", None, 404, "Entity not found"),
        ("GET", "/enabled", None, 404, "Currently no key is enabled"),
    ],
)
def test_what_the_rules_forbid_is_refused(
    talk: Any, fits: Any, method: str, path: str, body: Any, status: int, answer: Any
) -> None:
    found = talk(SimulatedSinch(), lambda http: http.request(method, PATH + path, json=body))
    assert found.status_code == status
    is_bad = status == 400
    fits(
        "Enablesignaturekey400response" if is_bad else "Disablethecurrentenabledsignaturekey.403response", found.json()
    )
    assert found.json()["details" if is_bad else "message"] == answer


@pytest.mark.parametrize(("method", "path"), [("GET", "?page=1&page_size=1"), ("POST", ""), ("DELETE", "/enabled")])
def test_without_the_feature_all_is_403(talk: Any, method: str, path: str) -> None:
    sim = SimulatedSinch(features=Features(signature_keys=False))
    answer = talk(sim, lambda http: http.request(method, PATH + path))
    assert (answer.status_code, answer.json()) == (
        403,
        {"message": "This feature has not been enabled in your account."},
    )


def verify(public_key: str, digest: str, head: str, body: bytes) -> None:
    """By section 10, with nothing of ours. Raises InvalidSignature."""
    line, _, rest = head.partition("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest.split("\r\n"))}
    assert headers["x-messagemedia-digest-type"] == digest
    assert headers["x-messagemedia-cipher-type"] == "RSA"
    assert abs(parsedate_to_datetime(headers["date"]) - datetime.now(UTC)).total_seconds() < 60
    key = serialization.load_der_public_key(base64.b64decode(public_key))
    signature = base64.b64decode(headers["x-messagemedia-signature"])
    signed = f"{line}{headers['date']}".encode() + body
    key.verify(signature, signed, PKCS1v15(), getattr(hashes, digest)())  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("digest", ["SHA224", "SHA256", "SHA512"])
def test_pushes_and_callbacks_are_signed_while_a_key_is_enabled(webhooks: Callable[..., Any], digest: str) -> None:
    async def main() -> None:
        async with webhooks(500) as hook:
            final = Timeline(enroute_s=None, submitted_s=None, final_s=0)
            pusher = Pusher(workers=1, retry_scale=0, retry_delay_s=0)
            sim = SimulatedSinch(hooks=Hooks(inbound_url=f"{hook.url}/fast?a=b%20c"), timeline=final, pusher=pusher)
            await sim.start()
            key = sim.signature_keys.create(digest)
            sim.webhooks.register(f"{hook.url}/hook?x=1", ["RECEIVED_SMS"], template="é $moContent", retries=1)
            sim.signature_keys.enable(key.key_id)
            await sim.text_in("+61491570156", "hi")
            await hook.arrived(3)
            sim.signature_keys.enable(None)
            await sim.text_in("+61491570156", "unsigned")
            await hook.arrived(5)
            await sim.stop()
        signed = list(zip(hook.heads, hook.got, strict=True))
        assert sorted(path for path, _ in hook.got[:3]) == ["/fast?a=b%20c", "/fast?a=b%20c", "/hook?x=1"]
        for head, (_, body) in signed[:3]:
            verify(key.public_key, digest, head, body)
            assert f"\r\nX-MessageMedia-Key-Id: {key.key_id}\r\n" in head
            with pytest.raises(InvalidSignature):
                verify(key.public_key, digest, head, body + b" ")
        assert not any("Signature" in head for head, _ in signed[3:])

    asyncio.run(main())
