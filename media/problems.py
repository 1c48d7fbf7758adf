"""Refusals of uploads and evidence."""

from app.kernel.problem import NotFound, Problem, TooLarge, TooManyRequests, Unreadable, UnsupportedMedia


class UploadNotFound(NotFound):
    """There is no such upload, or another actor began it."""

    type = "upload-not-found"
    title = ("没有这次上传", "No such upload")


class UploadGone(Problem):
    """The upload was ended, refused or has expired: begin a new one."""

    type = "upload-gone"
    status = 410
    title = ("这次上传已结束，请重新上传", "The upload is over; begin a new one")


class UploadBusy(Problem):
    """Another request is writing to this upload and does not give way; ask for the offset again."""

    type = "upload-busy"
    status = 409
    title = ("这次上传正由另一个请求写入", "Another request is writing to this upload")


class OffsetMismatch(Problem):
    """`Upload-Offset` is not where the upload stands; `offset` is."""

    type = "upload-offset-mismatch"
    status = 409
    title = ("Upload-Offset 与已收到的字节数不符", "Upload-Offset is not where the upload stands")


class TusVersionRefused(Problem):
    """`Tus-Resumable` is missing or not 1.0.0."""

    type = "tus-version"
    status = 412
    title = ("只支持 tus 1.0.0", "Only tus 1.0.0 is spoken here")


class TusHeaderRefused(Unreadable):
    """A header of the upload protocol is missing or malformed."""

    type = "tus-header"
    title = ("上传请求头缺失或格式有误", "A header of the upload protocol is missing or malformed")


class ChecksumMismatch(Problem):
    """The bytes do not have the checksum sent with them; they were thrown away."""

    type = "checksum-mismatch"
    status = 460
    title = ("校验和不符，这一段已丢弃", "The checksum does not fit; this part was thrown away")


class DigestMismatch(Problem):
    """The whole file does not have the SHA-256 it was declared with; it was thrown away."""

    type = "sha256-mismatch"
    status = 422
    title = ("文件与申报的 SHA-256 不符，已丢弃", "The file does not have the declared SHA-256; it was thrown away")


class FileTooLarge(TooLarge):
    """The file is over the limit of its type; `limit` is in bytes."""

    type = "file-too-large"
    title = ("文件超过大小上限", "The file is over the size limit")


class TypeRefused(UnsupportedMedia):
    """Not a type of file that is taken as evidence."""

    type = "file-type-refused"
    title = ("不接受这种类型的文件", "This type of file is not taken as evidence")


class DailyLimitReached(TooManyRequests):
    """The person has uploaded as much as is allowed within a day; `limit` is in bytes."""

    type = "daily-upload-limit"
    title = ("今天的上传量已达上限", "The day's upload limit is reached")


class StorageFull(Problem):
    """The store has no room left; nothing acknowledged is lost, try again later."""

    type = "storage-full"
    status = 507
    title = ("存储空间不足", "The store has no room left")


class EvidenceNotFound(NotFound):
    """There is no such evidence, or it is not yours."""

    type = "evidence-not-found"
    title = ("没有这份佐证", "No such evidence")


class EvidenceIdTaken(Problem):
    """The id was declared before with another content or owner."""

    type = "evidence-id-taken"
    status = 409
    title = ("这个佐证编号已用于其他内容", "This evidence id was declared before with something else")


class LinkExpired(Problem):
    """The short-lived link is over; ask for a new one where the evidence was shown."""

    type = "link-expired"
    status = 410
    title = ("链接已过期", "The link has expired")
