"""Every setting of the platform: read once from the environment, checked, explained."""

import base64
import binascii
import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from app import secret_keys
from app.embedded.postgres import APPLICATION, Postgres
from app.embedded.valkey import Valkey
from app.trouble import Trouble

CHECKOUT = Path(__file__).resolve().parent.parent
PREFIX = "ZJW_"
BARE = {
    "database_url": "DATABASE_URL",
    "database_owner_url": "DATABASE_OWNER_URL",
    "redis_url": "REDIS_URL",
    "media_url": "MEDIA_URL",
}
"""Fields whose variable carries no prefix, because other programs use the same name."""

NOT_SETTINGS = {"ZJW_TEST_HOME"}
"""Variables with our prefix that only the tests read."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Count = Annotated[int, Meta(ge=1, le=256)]
Amount = Annotated[int, Meta(ge=1, le=1_000_000)]
DatabaseUrl = Annotated[str, Meta(pattern=r"^postgres(ql)?://")]
QueueUrl = Annotated[str, Meta(pattern=r"^(rediss?|unix)://")]
MediaUrl = Annotated[str, Meta(pattern=r"^file:///")]
DistrictCode = Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
WebUrl = Annotated[str, Meta(pattern=r"^https?://")]
Hours = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
LogMonths = Annotated[int, Meta(ge=6, le=240)]
"""Network logs are kept for at least six months (Cybersecurity Law of the PRC, art. 21)."""
Months = Annotated[int, Meta(ge=1, le=240)]
Days = Annotated[int, Meta(ge=1, le=36_500)]


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. The description of a field is its line in the settings reference."""

    home: Annotated[Path, Meta(description="Folder of private services, logs, keys and media.")] = CHECKOUT / ".local"
    database_url: Annotated[
        DatabaseUrl,
        Meta(
            description="PostgreSQL 15 or newer with PostGIS 3.3 or newer, as the role `zjw_app`, which owns nothing;"
            " default: the private cluster in the home."
        ),
    ] = ""
    database_owner_url: Annotated[
        DatabaseUrl,
        Meta(
            description="The same database as the owner of its tables, for `zjw migrate`, `district`, `demo`, `backup`"
            " and `restore` alone; server and worker do without. Default: `DATABASE_URL`."
        ),
    ] = ""
    redis_url: Annotated[
        QueueUrl, Meta(description="Valkey or Redis 7, which carries the queue; default: the private one in the home.")
    ] = ""
    media_url: Annotated[
        MediaUrl,
        Meta(description="Folder of evidence, `file:///…`, the same on all machines; default: `media` in the home."),
    ] = ""
    image_mib: Annotated[Amount, Meta(description="Largest picture taken as evidence, MiB.")] = 30
    image_megapixels: Annotated[Amount, Meta(description="Most megapixels of a picture; more are refused.")] = 50
    video_mib: Annotated[Amount, Meta(description="Largest video taken as evidence, MiB.")] = 200
    upload_day_mib: Annotated[Amount, Meta(description="Most one person uploads within 24 hours, MiB.")] = 2048
    host: Annotated[str, Meta(description="Address the server listens on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port the server listens on.")] = 8080
    base_url: Annotated[
        WebUrl, Meta(description="Public address of the server, as it stands in links; default: host and port.")
    ] = ""
    district: Annotated[
        DistrictCode, Meta(description="District of requests that name none (`X-District`), a code of GB/T 2260.")
    ] = "330109"
    server_processes: Annotated[Count, Meta(description="Server processes on this machine.")] = 2
    worker_processes: Annotated[Count, Meta(description="Worker processes on this machine.")] = 1
    worker_jobs: Annotated[Count, Meta(description="Jobs a worker process runs at a time.")] = 10
    pool_size: Annotated[Count, Meta(description="Most database connections of one process.")] = 10
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"
    mini_program_url: Annotated[
        WebUrl, Meta(description="Address of the platform that signs citizens of the mini-program in (`code2session`).")
    ] = "https://api.weixin.qq.com"
    mini_program_app_id: Annotated[str, Meta(description="The mini-program's app id.")] = ""
    mini_program_secret: Annotated[str, Meta(description="The mini-program's app secret.", extra={"secret": True})] = ""
    sms_url: Annotated[
        WebUrl, Meta(description="Gateway of text messages (`POST /messages`); default: none go out.")
    ] = ""
    sms_secret: Annotated[str, Meta(description="Bearer secret of that gateway.", extra={"secret": True})] = ""
    subscribe_message_url: Annotated[
        WebUrl,
        Meta(description="Platform of the mini-program's subscribe messages; default: none go out."),
    ] = ""
    subscribe_message_template: Annotated[
        str, Meta(description="Their template's id: `character_string1` the case's number, `thing2` what became of it.")
    ] = ""
    webhook_url: Annotated[
        WebUrl, Meta(description="Where notices to desks and staff are posted, signed; default: nowhere.")
    ] = ""
    webhook_secret: Annotated[
        str, Meta(description="Key of the webhook's HMAC-SHA-256 signature.", extra={"secret": True})
    ] = ""
    webhooks_private: Annotated[
        bool,
        Meta(
            description="Whether webhooks of sources may lead to this machine and to private addresses: `false` where"
            " their receivers are on the internet."
        ),
    ] = True
    quiet_hours: Annotated[
        Hours, Meta(description="When only critical notices are sent out, in Hangzhou's time; `00:00-00:00`: never.")
    ] = "22:00-07:00"
    otlp_endpoint: Annotated[
        WebUrl, Meta(description="OpenTelemetry collector (OTLP over HTTP) that gets traces; default: none, it is off.")
    ] = ""
    oidc_issuer: Annotated[
        WebUrl, Meta(description="Issuer of the OpenID Connect provider by which staff may sign in; default: off.")
    ] = ""
    oidc_client_id: Annotated[str, Meta(description="What that provider knows this platform as.")] = ""
    oidc_client_secret: Annotated[
        str, Meta(description="This platform's secret at that provider.", extra={"secret": True})
    ] = ""
    cors_origins: Annotated[
        tuple[WebUrl, ...], Meta(description="Foreign web origins that may call the API, comma between; default: none.")
    ] = ()
    jwt_key: Annotated[
        str,
        Meta(
            description="Key that signs access tokens: base64 of at least 32 bytes, the same on all machines;"
            " default: made once in the home.",
            extra={"secret": True},
        ),
    ] = ""
    cipher_keys: Annotated[
        tuple[str, ...],
        Meta(
            description="Keys of personal data as `id:base64 of 32 bytes`, comma between; the first seals, all open;"
            " the same on all machines; default: made once in the home.",
            extra={"secret": True},
        ),
    ] = ()
    cipher: Annotated[
        Literal["aes256gcm", "sm4gcm"],
        Meta(description="Algorithm that seals personal data from now on; what another one sealed opens all the same."),
    ] = "aes256gcm"
    trace_hash: Annotated[
        Literal["sha256", "sm3"],
        Meta(description="Hash of the trace of cases from now on; each step names its own."),
    ] = "sha256"
    access_log_months: Annotated[
        LogMonths, Meta(description="Months the log of access to personal data is kept, at least 6.")
    ] = 12
    contact_months: Annotated[
        Months, Meta(description="Months after its closing until the contact of a case is erased.")
    ] = 24
    reading_days: Annotated[Days, Meta(description="Days readings of sensors are kept.")] = 730

    def jwt_key_bytes(self) -> bytes:
        """The key of access tokens, at least 32 bytes."""
        return base64.b64decode(self.jwt_key)

    def cipher_key_table(self) -> tuple[str, dict[str, bytes]]:
        """Id of the key that seals, and every key by its id (32 bytes each)."""
        pairs = [key.split(":", 1) for key in self.cipher_keys]
        return pairs[0][0], {key_id: base64.b64decode(text) for key_id, text in pairs}


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force, with addresses and keys that were not given filled in from the home. Raises Trouble."""
    return _completed(read(environment))


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings as given; addresses and keys may be empty.

    Raises Trouble that names every variable with a bad value and what it may be.
    """
    names = Settings.__struct_fields__
    given = {name: environment[variable(name)] for name in names if environment.get(variable(name))}
    hints = get_type_hints(Settings, include_extras=True)
    errors = _unknown(environment)
    values: dict[str, Any] = {}
    for name, text in given.items():
        try:
            values[name] = _convert(text, hints[name])
        except msgspec.ValidationError as error:
            errors.append(f"{variable(name)} has a bad value: {error}. It is: {description(name)}")
    errors += [f"{variable(name)}: {fault}." for name, fault in _faulty_keys(values)]
    if errors:
        raise Trouble("\n".join(errors))
    return Settings(**values)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return BARE.get(name, PREFIX + name.upper())


def description(name: str) -> str:
    """What a field is for."""
    return _meta(name).description or ""


def reference() -> str:
    """The settings reference as a Markdown table, made from the code."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for field in msgspec.structs.fields(Settings):
        default = "" if field.default in ("", ()) or isinstance(field.default, Path) else f"`{field.default}`"
        if isinstance(field.default, Path):
            default = f"`{field.default.name}` in the checkout"
        lines.append(f"| `{variable(field.name)}` | {default} | {description(field.name)} |")
    return "\n".join(lines) + "\n"


def shown(settings: Settings) -> dict[str, str]:
    """Variable → value for a person to read; secrets and passwords in addresses hidden."""
    origins = ", ".join(settings.cors_origins)
    values = {name: getattr(settings, name) for name in Settings.__struct_fields__} | {"cors_origins": origins}
    return {variable(name): _shown(name, value) for name, value in values.items()}


def without_password(url: str) -> str:
    """The address with its password hidden."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":…@") if password else url


def _shown(name: str, value: object) -> str:
    if (_meta(name).extra or {}).get("secret"):
        return "(hidden)"
    return without_password(str(value))


def _meta(name: str) -> Meta:
    hint = get_type_hints(Settings, include_extras=True)[name]
    return next(meta for meta in reversed(hint.__metadata__) if isinstance(meta, Meta) and meta.description)


def _convert(text: str, kind: Any) -> Any:
    if getattr(kind, "__origin__", None) is Path:
        return Path(text).absolute()
    several = str(kind).startswith("typing.Annotated[tuple")
    return msgspec.convert(text.split(",") if several else text, kind, strict=False)


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = [variable(name) for name in Settings.__struct_fields__]
    errors: list[str] = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and name not in NOT_SETTINGS:
            close = difflib.get_close_matches(name, known, n=1)
            errors.append(f"{name} is no setting" + (f"; did you mean {close[0]}?" if close else "."))
    return errors


def _faulty_keys(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if "jwt_key" in values and _length(values["jwt_key"]) < 32:
        faults.append(("jwt_key", "base64 of at least 32 bytes is asked for"))
    for key in values.get("cipher_keys", ()):
        key_id, _, text = key.partition(":")
        if not key_id.isalnum() or _length(text) != 32:
            faults.append(("cipher_keys", "every key is `id:base64 of 32 bytes`, the id of letters and digits"))
            break
    return faults


def _length(text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except binascii.Error:
        return -1


def _completed(settings: Settings) -> Settings:
    home = settings.home
    keys = secret_keys.load_or_make(home) if not (settings.jwt_key and settings.cipher_keys) else None
    return msgspec.structs.replace(
        settings,
        database_url=settings.database_url or _private_database(home).url(user=APPLICATION),
        database_owner_url=settings.database_owner_url or settings.database_url or _private_database(home).url(),
        redis_url=settings.redis_url or Valkey.at(home).url(),
        media_url=settings.media_url or (home / "media").as_uri(),
        base_url=settings.base_url or f"http://{settings.host}:{settings.port}",
        jwt_key=settings.jwt_key or (keys.jwt if keys else ""),
        cipher_keys=settings.cipher_keys or (keys.cipher if keys else ()),
    )


def _private_database(home: Path) -> Postgres:
    if not (home / "postgres").exists():
        raise Trouble(
            f"DATABASE_URL is not set and there is no private database in {home}:"
            " run `make demo`, or set DATABASE_URL=postgresql://user:password@host/name."
        )
    return Postgres.at(home)
