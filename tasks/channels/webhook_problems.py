"""What webhooks and the stream of case events refuse, as problem documents."""

from app.kernel.problem import Problem


class WebhookNotFound(Problem):
    """There is no such webhook."""

    type = "webhook-not-found"
    status = 404
    title = ("没有这个回调", "No such webhook")


class DeliveryNotFound(Problem):
    """There is no such delivery of this webhook, or it still waits."""

    type = "webhook-delivery-not-found"
    status = 404
    title = ("没有这条投递", "No such delivery")


class WebhookRetired(Problem):
    """The webhook was retired; make a new one."""

    type = "webhook-retired"
    status = 409
    title = ("该回调已停用", "The webhook is retired")


class StreamGap(Problem):
    """Events after the position asked for were deleted meanwhile: read the cases anew and go on from `kept_from`."""

    type = "stream-gap"
    status = 410
    title = ("所请求位置之后的事件已过保存期", "Events after this position are kept no longer")
