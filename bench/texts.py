"""Words of made-up reports, no two alike: what a word index is fed with in a real district."""

from itertools import product

_STREETS = ("人民路", "建设四路", "市心中路", "通惠路", "育才路", "拱秀路", "晨晖路", "江寺路", "萧绍路", "风情大道")
_PLACES = ("小区南门", "农贸市场北侧", "公交站台旁", "地下车库入口", "河边步道", "学校围墙外", "工地大门口", "桥下")
_MATTERS = (
    ("井盖松动", "井盖边缘破损，车辆经过时发出很大的响声，晚上看不清，担心有人摔倒"),
    ("夜间施工噪音", "连续三天夜里十一点以后仍在打桩，老人和孩子无法休息，希望尽快核实处理"),
    ("占道经营", "傍晚有十几个摊位摆在人行道上，行人只能走机动车道，油污和垃圾没有人清理"),
    ("路灯不亮", "一整排路灯从上周起都不亮，放学的孩子摸黑走路，请安排维修"),
    ("积水", "雨停两天后仍有三十厘米深的积水，底楼商铺的门已经打不开"),
    ("违章搭建", "楼顶正在搭建彩钢棚，遮挡消防通道，施工人员说没有办过手续"),
    ("乱倒渣土", "凌晨有无牌货车倾倒建筑渣土，堆了大约二十立方米，扬尘很大"),
    ("共享单车乱停", "单车堆放在盲道上，轮椅无法通过，平台电话没有人接"),
)


def report(number: int) -> tuple[str, str]:
    """Return title and description of report `number`; the street, place, matter and time of day vary."""
    pool = [*product(_STREETS, _PLACES, _MATTERS)]
    street, place, (matter, words) = pool[number * 97 % len(pool)]
    house, hour, minute = number % 389 + 1, number % 24, number * 7 % 60
    return (
        f"{street}{house}号{place}{matter}",
        f"{street}{house}号附近{place}，{hour}点{minute:02}分发现：{words}（第{number}件）。",
    )
