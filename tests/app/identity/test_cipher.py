"""Sealed fields: only the right key opens them, a changed sign is noticed, old keys go on opening."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from app.identity import cipher
from app.identity.cipher import CannotOpen
from tests.tools import people

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    cipher.configure("2025", {"2025": OLD})
    yield
    cipher.configure("test", {"test": people.CIPHER_KEY})


@given(st.text())
def test_what_was_sealed_opens_again_and_never_looks_the_same_twice(plain: str) -> None:
    token = cipher.seal(plain)
    assert cipher.open_(token) == plain
    assert token != cipher.seal(plain)
    assert token.startswith("aes256gcm.2025.")


@pytest.mark.parametrize("algorithm", cipher.ALGORITHMS)
def test_each_changed_sign_is_noticed(algorithm: str) -> None:
    cipher.configure("2025", {"2025": OLD}, algorithm)
    token = cipher.seal("13800001234")
    assert token.startswith(f"{algorithm}.2025.")
    assert cipher.open_(token) == "13800001234"
    for n, sign in enumerate(token):
        changed = token[:n] + ("A" if sign != "A" else "B") + token[n + 1 :]
        with pytest.raises(CannotOpen):
            cipher.open_(changed)


@pytest.mark.parametrize("token", ["", ".", "..", "aes256gcm", "aes256gcm.2025.", "aes256gcm.2025.é", "13800001234"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(CannotOpen):
        cipher.open_(token)


def test_after_a_rotation_old_texts_open_and_new_ones_name_the_new_key() -> None:
    before = cipher.seal("住户")
    cipher.configure("2026", {"2026": NEW, "2025": OLD})
    after = cipher.seal("住户")
    assert (cipher.open_(before), cipher.open_(after)) == ("住户", "住户")
    assert after.startswith("aes256gcm.2026.")
    cipher.configure("2026", {"2026": NEW})
    with pytest.raises(CannotOpen, match="'2025', which is not configured"):
        cipher.open_(before)


def test_a_text_moved_under_another_keys_name_does_not_open() -> None:
    cipher.configure("a", {"a": OLD, "b": OLD})
    token = cipher.seal("住户")
    with pytest.raises(CannotOpen):
        cipher.open_(token.replace("aes256gcm.a.", "aes256gcm.b."))


def test_texts_of_the_other_algorithm_open_and_are_sealed_anew_by_the_one_in_force() -> None:
    western = cipher.seal("住户")
    cipher.configure("2025", {"2025": OLD}, cipher.SM4GCM)
    national = cipher.reseal(western)
    assert national is not None
    assert national.startswith("sm4gcm.2025.")
    assert cipher.reseal(national) == national
    assert cipher.reseal(None) is None
    cipher.configure("2025", {"2025": OLD})
    assert (cipher.open_(western), cipher.open_(national)) == ("住户", "住户")
    with pytest.raises(CannotOpen):
        cipher.open_(national.replace("sm4gcm", "aes256gcm"))


def test_sm4_itself_gives_the_example_of_the_standard() -> None:
    # RFC 8998 appendix A.1: SM4-GCM, key 0123456789abcdeffedcba9876543210
    key, nonce = bytes.fromhex("0123456789abcdeffedcba9876543210"), bytes.fromhex("00001234567800000000abcd")
    plain = b"".join(bytes([sign] * 8) for sign in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    said = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(said)
    assert (encryptor.update(plain) + encryptor.finalize()).hex().startswith("17f399f08c67d5ee19d0dc9969c4bb7d")
    assert encryptor.tag.hex() == "83de3541e4c2b58177e065a9bf7b62ec"


def test_an_unknown_algorithm_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="no algorithm 'rot13', there are aes256gcm, sm4gcm"):
        cipher.configure("2025", {"2025": OLD}, "rot13")


@pytest.mark.parametrize(("current", "by_id"), [("a", {"b": OLD}), ("a", {"a": b"short"}), ("a", {"a": OLD, "b": b""})])
def test_unfit_keys_are_refused_at_the_start(current: str, by_id: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes each"):
        cipher.configure(current, by_id)


@pytest.mark.parametrize(
    ("text", "masked"), [("13800001234", "138****1234"), ("张三", "张*"), ("张三丰", "张**"), ("x", "x*"), ("", "*")]
)
def test_a_mask_hides_the_middle(text: str, masked: str) -> None:
    assert cipher.mask(text) == masked
