"""What sensing refuses, as problem documents."""

from app.kernel.problem import Problem


class DeviceNotFound(Problem):
    """No such sensing device, or not yours."""

    type = "sensing-device-not-found"
    status = 404
    title = ("没有这台感知设备", "No such sensing device")


class DeviceCodeTaken(Problem):
    """There is a sensing device of this code."""

    type = "sensing-device-code-taken"
    status = 409
    title = ("设备编码已被使用", "The device code is taken")


class BrokenFrame(Problem):
    """A JT/T 808 frame that cannot be read; the detail names the broken part."""

    type = "jt808-broken-frame"
    status = 400
    title = ("808 报文损坏", "The JT/T 808 frame is broken")
