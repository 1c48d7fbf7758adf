"""The words of a Chinese text that tell what it is about, with their weights; pure."""

import re
from functools import lru_cache

import rjieba

LONGEST = 4000
"""Of longer texts the beginning is read."""
PAIR = 0.4
"""The weight of two neighbouring characters beside that of a word: they find what the dictionary does not know."""
_RUNS = re.compile(r"[㐀-鿿]+")
_WORD = re.compile(r"[㐀-鿿]{2,}|[a-z0-9]{2,}")
_NUMBER = re.compile(r"[0-9]+")
_EMPTY = """
    我们 你们 他们 这个 那个 这里 那里 这样 那样 没有 可以 问题 情况 现在 已经 希望 一直 还是
    因为 所以 但是 如果 就是 不是 什么 怎么 时候 之后 以后 之前 的话 有人 人员 反映 要求 请求
    相关 部门 有关 进行 处理 解决 尽快 帮忙 非常 比较 很多 一个 一下 自己 大家 今天 昨天 最近
    附近 旁边 里面 外面 上面 下面 市民 群众 来电 您好 谢谢 演示 的人 不能 晚上 夜里 白天 下来
    起来 上次 材料
"""
EMPTY = frozenset(_EMPTY.split())
"""Words that say nothing of what a request is about."""


@lru_cache(maxsize=4096)
def terms(text: str) -> dict[str, float]:
    """Return word → weight; empty words, numbers and single characters are left out. Treat the answer as frozen."""
    plain = text[:LONGEST].lower()
    found = {
        word: 1.0
        for word in rjieba.cut_for_search(plain)
        if _WORD.fullmatch(word) and word not in EMPTY and not _NUMBER.fullmatch(word)
    }
    for run in _RUNS.findall(plain):
        for pair in (run[at : at + 2] for at in range(len(run) - 1)):
            if pair not in EMPTY:
                found.setdefault(pair, PAIR)
    return found
