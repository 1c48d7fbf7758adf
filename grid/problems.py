"""What the grid refuses, and why."""

from app.kernel.problem import Problem


class AreaNotFound(Problem):
    """No such area, or not in reach."""

    type = "area-not-found"
    status = 404
    title = ("没有这个区域", "No such area")


class CellNotFound(Problem):
    """No such cell, or not in reach."""

    type = "cell-not-found"
    status = 404
    title = ("没有这个网格", "No such cell")


class OrganisationNotFound(Problem):
    """No such organisation."""

    type = "organisation-not-found"
    status = 404
    title = ("没有这个单位", "No such organisation")


class PersonNotFound(Problem):
    """No such person, or not in reach."""

    type = "person-not-found"
    status = 404
    title = ("没有这个人员", "No such person")


class TileNotFound(Problem):
    """No tile at that zoom, column and row."""

    type = "tile-not-found"
    status = 404
    title = ("没有这张瓦片", "No such tile")


class OrganisationEnded(Problem):
    """The organisation has ended already; what has ended does not change."""

    type = "organisation-ended"
    status = 409
    title = ("该单位已撤销", "The organisation has ended")


class OrganisationCodeTaken(Problem):
    """Another organisation has that code."""

    type = "organisation-code-taken"
    status = 409
    title = ("单位代码已被使用", "The organisation's code is taken")


class CellsRefused(Problem):
    """The cells of an import were not taken; `findings` lists what is wrong, with its measure. Nothing was changed."""

    type = "cells-refused"
    status = 422
    title = ("网格导入被拒绝，未作任何更改", "The cells were refused, nothing was changed")
