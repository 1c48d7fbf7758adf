"""Difficult items made by a generator to fill the library up to the district's public number; labelled so."""

from itertools import islice, product
from random import Random

from app.demo.district import SEED
from tasks.cases.difficult import Entry, Sample

TOTAL = 2_361
"""The district's library has so many entries."""
PROVENANCE = "generated for the demo; not a real entry"

SITES = (
    "老旧小区", "回迁小区", "商住楼", "城中村", "工业园区", "学校周边", "医院周边", "地铁口", "农贸市场", "河道沿线",
    "高架桥下", "物流园", "商业街", "建筑工地", "乡村道路", "旅游景点",
)  # fmt: skip
MATTERS = (
    ("违规停车", "交警大队", "交通出行", "E0505"),
    ("噪声扰民", "公安分局", "生态环境", "E0508"),
    ("油烟异味", "综合行政执法局", "生态环境", "E0116"),
    ("消防通道堵塞", "消防救援大队", "消防安全", "H303"),
    ("污水外溢", "水务集团", "供水排水", "E0404"),
    ("垃圾堆放", "综合行政执法局", "城市管理", "E0102"),
    ("线缆凌乱", "供电公司", "公用事业", "E0408"),
    ("无证经营", "市场监督管理局", "市场监管", "H135"),
    ("违法搭建", "综合行政执法局", "城市建设", "E0101"),
    ("房屋隐患", "住房和城乡建设局", "城市建设", "H109"),
    ("道路破损", "交通运输局", "交通出行", "E0110"),
    ("路灯故障", "住房和城乡建设局", "公用事业", "H305"),
    ("扬尘污染", "生态环境局", "生态环境", "E0302"),
    ("电动车充电", "消防救援大队", "消防安全", "H369"),
    ("收费争议", "市场监督管理局", "市场监管", "H157"),
    ("树木倒伏", "住房和城乡建设局", "综合应急", "H358"),
)
CAUSES = (
    "权属不清", "移交未完成", "多家单位共管", "许可与监管分离", "跨镇街交界", "责任主体灭失", "标准不一致",
    "整治后反复", "历史遗留", "第三方施工引起",
)  # fmt: skip


def generated(count: int, seed: int = SEED) -> list[Sample]:
    """Return `count` made-up entries: every one another site, matter and cause."""
    random = Random(seed)
    made = list(product(SITES, MATTERS, CAUSES))
    random.shuffle(made)
    others = sorted({department for _, department, _, _ in MATTERS})
    found: list[Sample] = []
    for number, (site, (matter, department, domain, item), cause) in enumerate(islice(made, count), 1):
        assistants = [each for each in random.sample(others, 3) if each != department][:2]
        entry = Entry(
            title=f"{site}{matter}{cause}",
            description=f"{site}出现{matter}，因{cause}，{department}与{assistants[0]}等单位对谁负责意见不一。（生成）",
            keywords=(site, matter, cause),
            domain=domain,
            lead=f"department:{department}",
            assistants=(*(f"department:{each}" for each in assistants), "town"),
            basis="生成的示例，无依据",
            item=item,
        )
        found.append(Sample(f"G{number:04d}", entry, PROVENANCE))
    return found
