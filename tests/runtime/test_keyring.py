"""The file of public signature keys: written whole or not at all, and broken ones told by line."""

import json

import pytest

from sinchflow.errors import CannotStart
from sinchflow.runtime.keyring import KEYS_FILE, read_keys, write_keys
from sinchflow.sinch.signature import SignatureKey

#: An RSA key of 1024 bits; its private part is thrown away.
PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHRxakajQzyGKtbBOEuSB+gwxYv2A4xuv+zAxNI+ufcUCzx/jofBWhkmUNHd6B"
    "QdhLsSNdWNfD+OMuy62qbKFhjFWxaQW4flYDYfaq14nEELBth0P+QL9b1gh9w6SZv64Khspgi0bJDDCRjPXUzs/jPEqXa4HZrlurJcgN+J7xAwIDAQAB"
)
KEY = SignatureKey(key_id="a", account="nz", digest="SHA256", public_key=PUBLIC, created="2026-11-23T01:02:03.000Z")


def broken(**changes: object) -> str:
    """A file whose second key, on line 5, is changed."""
    whole = {"key_id": "b", "account": "nz", "digest": "SHA256", "cipher": "RSA", "public_key": PUBLIC, "created": None}
    first = json.dumps({**whole, "key_id": "a"})
    return f'{{\n"keys": [\n{first}\n,\n{json.dumps({**whole, **changes})}\n]}}\n'


def test_no_file_is_no_keys(tmp_path):
    assert read_keys(tmp_path) == []


def test_keys_are_read_as_written(tmp_path):
    keys = [KEY, SignatureKey(key_id="b", digest="SHA512", public_key=PUBLIC)]
    write_keys(tmp_path, keys)
    write_keys(tmp_path, keys)
    assert read_keys(tmp_path) == keys
    assert [path.name for path in tmp_path.iterdir()] == [KEYS_FILE]
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o644
    assert json.loads((tmp_path / KEYS_FILE).read_text())["keys"][0] == {
        "key_id": "a",
        "public_key": PUBLIC,
        "digest": "SHA256",
        "cipher": "RSA",
        "account": "nz",
        "created": "2026-11-23T01:02:03.000Z",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "signature-keys.json:1: is no JSON"),
        ('{"keys": [\n<<<<<<< HEAD\n', "signature-keys.json:2: is no JSON"),
        ("[]", "signature-keys.json:1: "),
        ('{"keys": [NaN]}', "signature-keys.json:1: "),
        ("[" * 100_000, "signature-keys.json:1: is no JSON (too long a number, or nested too deep)"),
        ("9" * 5_000, "signature-keys.json:1: is no JSON (too long a number, or nested too deep)"),
        ('{"keys": [], "more": 1}', "signature-keys.json:1: "),
        (broken(digest=1), "signature-keys.json:5: "),
        (broken(digest="MD5"), "signature-keys.json:5: "),
        (broken(public_key="nonsense"), "signature-keys.json:5: "),
        (broken(key_id="a"), "signature-keys.json:5: key a stands there twice"),
    ],
)
def test_broken_file_is_told_by_line(tmp_path, content, words):
    (tmp_path / KEYS_FILE).write_text(content)
    with pytest.raises(CannotStart) as refused:
        read_keys(tmp_path)
    assert str(refused.value).startswith(words)
    assert "Git" in str(refused.value) or "delete one" in str(refused.value)


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / KEYS_FILE).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CannotStart, match=r"signature-keys.json:1: is no JSON"):
        read_keys(tmp_path)


def test_folder_that_takes_no_file_is_told(tmp_path):
    with pytest.raises(CannotStart, match="cannot be written"):
        write_keys(tmp_path / "missing", [KEY])
