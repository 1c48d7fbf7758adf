"""The discovery document of Open311 (http://wiki.open311.org/Service_Discovery), extensions and all; pure."""

from msgspec import Struct

from app.kernel.problem import Text

CHANGESET = "2026-11-23T00:00:00+08:00"
"""When what is said here last changed."""
SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
FORMATS = ("text/xml", "application/json")


class Extension(Struct, frozen=True):
    """Something this endpoint does beyond the specification."""

    name: str
    parameters: tuple[str, ...]
    description: str


class Endpoint(Struct, frozen=True):
    """Where a version of the specification is spoken; `type` is production or test."""

    specification: str
    url: str
    changeset: str
    type: str
    formats: tuple[str, ...]
    extensions: tuple[Extension, ...]


class Discovery(Struct, frozen=True):
    """What there is, where, and how to get a key."""

    changeset: str
    contact: str
    key_service: str
    endpoints: tuple[Endpoint, ...]


CONTACT: Text = ("请联系本区综合指挥中心", "Ask the district's command centre")
KEY_SERVICE: Text = (
    "向区综合指挥中心申请机器密钥（权限 open311.submit）；仅 POST 需要，作为 api_key 参数，无需签名",
    "Ask the district's command centre for a machine's key (scope open311.submit); needed for POST only, as the"
    " parameter api_key, without a signature",
)
EXTENSIONS: tuple[tuple[str, tuple[str, ...], Text], ...] = (
    (
        "paging",
        ("page", "page_size"),
        (
            "requests 每页至多 1000 条，Link 响应头指出下一页",
            "requests come in pages of at most 1000; the Link header names the next",
        ),
    ),
    (
        "bounding box",
        ("bbox",),
        ("requests?bbox=西,南,东,北（WGS-84 度）", "requests?bbox=west,south,east,north in degrees (WGS-84)"),
    ),
    (
        "changes",
        ("updated_after", "updated_before"),
        (
            "按 updated_datetime 筛选；有 updated_after 时按其先后排列，且不限于最近 90 天",
            "filter by updated_datetime; with updated_after the earliest change comes first, and not only of the last"
            " 90 days",
        ),
    ),
    (
        "updates",
        (),
        ("requests/{id}/updates：公开步骤", "requests/{id}/updates: the public steps of a request"),
    ),
    (
        "comments",
        ("api_key", "description"),
        (
            "requests/{id}/comments：GET 为提交者的补充，工作人员处理后公开；POST 限提交该诉求的密钥",
            "requests/{id}/comments: GET what the sender added, public once staff dealt with it; POST with the key that"
            " sent the request",
        ),
    ),
    (
        "one request",
        (),
        (
            "同一密钥 10 分钟内重复提交相同内容视为一次，返回同一编号",
            "the same content sent again with the same key within 10 minutes is one request: the same id is answered",
        ),
    ),
    (
        "privacy",
        (),
        (
            "工作人员查看之前不公开文字和图片，位置取整到约 100 米；其他渠道的事件始终如此；联系方式从不公开",
            "until a clerk has looked, words and pictures are withheld and the place is rounded to 100 m; those of"
            " other channels always are; contacts are never shown",
        ),
    ),
)


def document(base: str, language: int) -> Discovery:
    """Return the document of an endpoint at an address."""
    endpoint = Endpoint(
        specification=SPECIFICATION,
        url=base,
        changeset=CHANGESET,
        type="production",
        formats=FORMATS,
        extensions=tuple(Extension(name, parameters, words[language]) for name, parameters, words in EXTENSIONS),
    )
    return Discovery(CHANGESET, CONTACT[language], KEY_SERVICE[language], (endpoint,))
