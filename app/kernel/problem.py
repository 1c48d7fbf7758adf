"""Errors that people and programs can act on: RFC 9457 problem documents with stable types, in Chinese and English."""

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

Text = tuple[str, str]
"""One sentence twice: Chinese, English."""

LANGUAGES = ("zh", "en")


def language_of(accept: str) -> int:
    """Return the index into `LANGUAGES` for an Accept-Language header: Chinese unless English is preferred."""
    best, chosen = 0.0, 0
    for part in accept.split(","):
        tag, _, options = part.strip().partition(";")
        quality = options.strip().removeprefix("q=") or "1"
        weight = float(quality) if quality.replace(".", "", 1).isdigit() else 0.0
        for index, language in enumerate(LANGUAGES):
            if tag.lower().startswith(language) and weight > best:
                best, chosen = weight, index
    return chosen


class FieldError(Struct, frozen=True):
    """What is wrong with one field; `field` is a path such as `place.lon` or `records[3].at`."""

    field: str
    message: Text


class Problem(Exception):
    """Base of every refusal. Subclasses state `type` (the last part of the URI), `status` and `title`."""

    type: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[Text] = ("服务内部错误", "Internal error")

    def __init__(self, detail: Text | None = None, *, headers: dict[str, str] | None = None, **facts: Any) -> None:
        super().__init__((detail or self.title)[1])
        self.detail = detail
        self.headers = headers or {}
        self.facts = facts

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        twin = CATALOGUE.setdefault(cls.type, cls)
        if twin is not cls and twin.__qualname__ != cls.__qualname__:
            raise TypeError(f"problem type {cls.type!r} is taken by {twin.__qualname__}")

    def document(self, language: int, instance: str | None = None) -> dict[str, Any]:
        """Return the problem document; `language` is an index into `LANGUAGES`."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.type}",
            "title": self.title[language],
            "status": self.status,
        }
        if self.detail is not None:
            document["detail"] = self.detail[language]
        if instance is not None:
            document["instance"] = instance
        return document | {key: value for key, value in self.facts.items() if value is not None}


CATALOGUE: dict[str, type[Problem]] = {Problem.type: Problem}
"""Every problem type → its class; the docs list it."""


class Invalid(Problem):
    """The content was understood but cannot be accepted; lists every bad field."""

    type = "invalid"
    status = 422
    title = ("提交的内容有误", "The content is not valid")

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(
            (
                "；".join(f"{e.field}：{e.message[0]}" for e in errors),
                "; ".join(f"{e.field}: {e.message[1]}" for e in errors),
            )
        )
        self.errors = tuple(errors)

    def document(self, language: int, instance: str | None = None) -> dict[str, Any]:
        """Return the document with `errors: [{field, message}]`."""
        listed = [{"field": error.field, "message": error.message[language]} for error in self.errors]
        return super().document(language, instance) | {"errors": listed}


def invalid(field: str, zh: str, en: str) -> Invalid:
    """Return the problem of one bad field."""
    return Invalid([FieldError(field, (zh, en))])


class Unreadable(Problem):
    """The bytes are not the format they claim to be."""

    type = "unreadable"
    status = 400
    title = ("无法读取请求内容", "The request cannot be read")


class NotSignedIn(Problem):
    """No valid credentials came with the request."""

    type = "not-signed-in"
    status = 401
    title = ("请先登录", "Sign in first")


class NotPermitted(Problem):
    """The actor's roles do not allow this at all (whatever the object)."""

    type = "not-permitted"
    status = 403
    title = ("没有这项权限", "Not permitted")


class NotFound(Problem):
    """There is no such thing, or it is not yours: both look the same."""

    type = "not-found"
    status = 404
    title = ("没有找到", "Not found")


class MethodNotAllowed(Problem):
    """The address exists but not for this method."""

    type = "method-not-allowed"
    status = 405
    title = ("不支持这种请求方法", "Method not allowed")


class NotAcceptable(Problem):
    """None of the formats asked for can be made."""

    type = "not-acceptable"
    status = 406
    title = ("无法按所要求的格式答复", "Not acceptable")


class StaleVersion(Problem):
    """The object changed since it was read; `version` is the present one."""

    type = "stale-version"
    status = 409
    title = ("内容已被他人更新", "The object has changed since it was read")


class PreconditionFailed(Problem):
    """If-Match does not fit the object's present version."""

    type = "precondition-failed"
    status = 412
    title = ("版本条件不符", "Precondition failed")


class VersionRequired(Problem):
    """A change must name the version it was made from, as `version` or by If-Match."""

    type = "version-required"
    status = 428
    title = ("请附上所见内容的版本号", "State the version of what you saw")


class TooLarge(Problem):
    """The body is over the limit of this address."""

    type = "too-large"
    status = 413
    title = ("内容过大", "The content is too large")


class UnsupportedMedia(Problem):
    """The content type is not one this address takes."""

    type = "unsupported-media-type"
    status = 415
    title = ("不支持的内容类型", "Unsupported media type")


class TooManyRequests(Problem):
    """A rate limit is reached; Retry-After says when to come back."""

    type = "too-many-requests"
    status = 429
    title = ("请求过于频繁", "Too many requests")


class Unavailable(Problem):
    """Something this needs (database, queue, storage) does not answer at the moment; try again."""

    type = "unavailable"
    status = 503
    title = ("服务暂时不可用", "Temporarily unavailable")
