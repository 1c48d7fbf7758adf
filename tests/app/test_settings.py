"""Settings: a bad value names its variable and what it may be; keys are made once and stay private."""

import base64
from pathlib import Path

import pytest

from app import secret_keys, settings
from app.trouble import Trouble

KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("ZJW_PORT", "eighty", "ZJW_PORT has a bad value"),
        ("ZJW_PORT", "70000", "ZJW_PORT has a bad value"),
        ("ZJW_SERVER_PROCESSES", "0", "ZJW_SERVER_PROCESSES has a bad value"),
        ("ZJW_LOG_LEVEL", "loud", "ZJW_LOG_LEVEL has a bad value"),
        ("DATABASE_URL", "mysql://host/name", "DATABASE_URL has a bad value"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL has a bad value"),
        ("MEDIA_URL", "/srv/media", "MEDIA_URL has a bad value"),
        ("MEDIA_URL", "s3://bucket", "MEDIA_URL has a bad value"),
        ("ZJW_CORS_ORIGINS", "https://a.example,b.example", "ZJW_CORS_ORIGINS has a bad value"),
        ("ZJW_JWT_KEY", "c2hvcnQ=", "ZJW_JWT_KEY: base64 of at least 32 bytes is asked for"),
        ("ZJW_JWT_KEY", "not base64!", "ZJW_JWT_KEY: base64 of at least 32 bytes is asked for"),
        ("ZJW_CIPHER_KEYS", KEY, "ZJW_CIPHER_KEYS: every key is `id:base64 of 32 bytes`"),
        ("ZJW_CIPHER", "rot13", "ZJW_CIPHER has a bad value"),
        ("ZJW_TRACE_HASH", "md5", "ZJW_TRACE_HASH has a bad value"),
        ("ZJW_ACCESS_LOG_MONTHS", "5", "ZJW_ACCESS_LOG_MONTHS has a bad value"),
        ("ZJW_PROT", "8080", "ZJW_PROT is no setting; did you mean ZJW_PORT?"),
    ],
)
def test_a_bad_value_names_its_variable(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(Trouble) as trouble:
        settings.read({variable: value})
    assert trouble.value.message.startswith(sentence)
    assert "\n" not in trouble.value.message


def test_all_bad_values_are_said_at_once() -> None:
    with pytest.raises(Trouble) as trouble:
        settings.read({"ZJW_PORT": "x", "DATABASE_URL": "x", "ZJW_CIPHER_KEYS": "x"})
    assert [line.split()[0].strip(":") for line in trouble.value.message.splitlines()] == [
        "DATABASE_URL",
        "ZJW_PORT",
        "ZJW_CIPHER_KEYS",
    ]


def test_given_values_are_read(tmp_path: Path) -> None:
    read = settings.load(
        {
            "ZJW_HOME": str(tmp_path),
            "DATABASE_URL": "postgresql://a@b/c",
            "REDIS_URL": "redis://b/1",
            "MEDIA_URL": "file:///srv/media",
            "ZJW_PORT": "9000",
            "ZJW_CORS_ORIGINS": "https://a.example,https://b.example",
            "ZJW_JWT_KEY": KEY,
            "ZJW_CIPHER_KEYS": f"k2:{KEY},k1:{KEY}",
        }
    )
    assert (read.database_url, read.redis_url, read.port) == ("postgresql://a@b/c", "redis://b/1", 9000)
    assert read.base_url == "http://127.0.0.1:9000"
    assert read.cors_origins == ("https://a.example", "https://b.example")
    assert read.cipher_key_table() == ("k2", {"k2": bytes(32), "k1": bytes(32)})
    assert not (tmp_path / secret_keys.FILE).exists()


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    environment = {"ZJW_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    first, second = settings.load(environment), settings.load(environment)
    assert len(first.jwt_key_bytes()) == 32
    assert first == second
    assert (tmp_path / secret_keys.FILE).stat().st_mode & 0o777 == 0o600


def test_a_new_key_seals_and_the_old_ones_go_on_opening_until_they_are_dropped(tmp_path: Path) -> None:
    environment = {"ZJW_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    first, by_id = settings.load(environment).cipher_key_table()
    made = secret_keys.add(tmp_path)
    current, now_by_id = settings.load(environment).cipher_key_table()
    assert (first, current, made) == ("k1", "k2", "k2")
    assert now_by_id["k1"] == by_id["k1"] != now_by_id["k2"]
    assert (tmp_path / secret_keys.FILE).stat().st_mode & 0o777 == 0o600
    assert secret_keys.drop(tmp_path, "k2") is False  # it seals
    assert secret_keys.drop(tmp_path, "k1") is True
    assert settings.load(environment).cipher_key_table() == ("k2", {"k2": now_by_id["k2"]})
    assert secret_keys.add(tmp_path) == "k3"


def test_without_any_database_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"DATABASE_URL is not set .* run `make demo`, or set DATABASE_URL=postgresql://"):
        settings.load({"ZJW_HOME": str(tmp_path)})


def test_passwords_and_keys_are_not_shown(tmp_path: Path) -> None:
    environment = {"ZJW_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a:hush@b/c", "ZJW_CIPHER_KEYS": f"k:{KEY}"}
    text = str(settings.shown(settings.load(environment)))
    assert "hush" not in text
    assert KEY not in text
    assert "postgresql://a:…@b/c" in text


def test_the_reference_explains_every_variable() -> None:
    rows = settings.reference().splitlines()[2:]
    assert len(rows) == len(settings.Settings.__struct_fields__)
    assert all(row.split("|")[3].strip() for row in rows)
