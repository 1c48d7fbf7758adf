"""Households, questionnaires, rounds, visits and sync over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from app.kernel.actor import Actor
from visits import (
    callback_api,
    commands,
    household_import_api,
    map_api,
    note_api,
    round_commands,
    rule_api,
    visit_commands,
)
from visits.commands import Contact, HouseholdView, Unmask
from visits.households import CareNeed, HouseholdChange, NewHousehold
from visits.proposal import PlanRequest, Preview, Reassign
from visits.questionnaire import NewQuestionnaire, Questionnaire
from visits.rounds import Assignment, NewRound, Round
from visits.sync import api as sync_api
from visits.visit import Visit
from visits.visit_commands import EvidenceLink, VisitView

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Area = Annotated[str | None, QueryParameter(pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$")]
Variant = Annotated[str, QueryParameter(pattern="^(original|320|1280)$")]
HOUSEHOLDS: dict[str, Any] = {"action": "household.read"}
WRITE_HOUSEHOLDS: dict[str, Any] = {"action": "household.write"}
ROUNDS: dict[str, Any] = {"action": "round.read"}
MANAGE_ROUNDS: dict[str, Any] = {"action": "round.manage"}
VISITS: dict[str, Any] = {"action": "visit.read"}


class Moved(Struct, frozen=True):
    """How many assignments went to another member."""

    moved: int


def _page(request: Request[Any, Any, Any], rows: list[Any], limit: int, key: str) -> Response[Any]:
    """The rows, with a Link to the next page when there may be one (RFC 8288)."""
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | {key: str(rows[-1].id), "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@post("/households", opt=WRITE_HOUSEHOLDS, tags=["households"])
async def register_household(
    data: JSONBody[NewHousehold], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> HouseholdView:
    """Register a dwelling at its address; the cell follows from the point."""
    return await commands.register_household(data, actor, now)


@get("/households", opt=HOUSEHOLDS, tags=["households"])
async def households(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    area: Area = None,
    care_need: FromQuery[CareNeed | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> Response[list[HouseholdView]]:
    """List the households of my area, contacts masked."""
    return _page(request, await commands.list_households(actor, area, care_need, after, limit), limit, "after")


@get("/households/{household_id:uuid}", opt=HOUSEHOLDS | {"versioned": True}, tags=["households"])
async def household(household_id: FromPath[UUID], actor: NamedDependency[Actor]) -> HouseholdView:
    """Show one household, its contact masked."""
    return await commands.get_household(household_id, actor)


@patch(
    "/households/{household_id:uuid}",
    opt=WRITE_HOUSEHOLDS | {"versioned": True, "version_required": True},
    tags=["households"],
)
async def change_household(
    household_id: FromPath[UUID],
    data: JSONBody[HouseholdChange],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> HouseholdView:
    """Change some fields of a household; those left out stay."""
    return await commands.change_household(household_id, data, actor, now)


@post(
    "/households/{household_id:uuid}/contact",
    opt={"action": "household.unmask"},
    tags=["households"],
    status_code=200,
)
async def unmask(
    household_id: FromPath[UUID],
    data: JSONBody[Unmask],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Contact:
    """Show one household's contact; who asked and why is written down."""
    return await commands.unmask(household_id, data, actor, now)


@post("/questionnaires", opt={"action": "questionnaire.write"}, tags=["visits"])
async def publish_questionnaire(
    data: JSONBody[NewQuestionnaire], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Questionnaire:
    """Publish a version of a questionnaire; published versions never change and are accepted for ever."""
    return await commands.publish_questionnaire(data, actor, now)


@get("/questionnaires", opt={"action": "questionnaire.read"}, tags=["visits"])
async def questionnaires(actor: NamedDependency[Actor]) -> list[Questionnaire]:
    """List every published version of every questionnaire."""
    return await commands.list_questionnaires(actor)


@post("/rounds", opt=MANAGE_ROUNDS, tags=["visits"])
async def plan_round(data: JSONBody[NewRound], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Round:
    """Make a draft of a round of visits by day or by night."""
    return await round_commands.plan_round(data, actor, now)


@get("/rounds", opt=ROUNDS, tags=["visits"])
async def rounds(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    before: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> Response[list[Round]]:
    """List rounds of my area and squads, newest first."""
    return _page(request, await round_commands.list_rounds(actor, before, limit), limit, "before")


@get("/rounds/{round_id:uuid}", opt=ROUNDS | {"versioned": True}, tags=["visits"])
async def round_(round_id: FromPath[UUID], actor: NamedDependency[Actor]) -> Round:
    """Show a round."""
    return await round_commands.get_round(round_id, actor)


@post("/rounds/{round_id:uuid}/preview", opt=MANAGE_ROUNDS, tags=["visits"], status_code=200)
async def preview(
    round_id: FromPath[UUID],
    data: JSONBody[PlanRequest],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Preview:
    """Show how many households, how many per member and in which walking order, without giving anything out."""
    return await round_commands.preview(round_id, data, actor, now)


@post("/rounds/{round_id:uuid}/assign", opt=MANAGE_ROUNDS | {"versioned": True}, tags=["visits"], status_code=200)
async def assign(
    round_id: FromPath[UUID],
    data: JSONBody[PlanRequest],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Round:
    """Give out the lists, by hand where named and automatically for the rest; again: only what is not done moves."""
    return await round_commands.assign(round_id, data, actor, now)


@post("/rounds/{round_id:uuid}/reassign", opt=MANAGE_ROUNDS, tags=["visits"], status_code=200)
async def reassign(
    round_id: FromPath[UUID],
    data: JSONBody[Reassign],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Moved:
    """Hand all that a member has not done to another member."""
    return Moved(await round_commands.reassign(round_id, data, actor, now))


@post("/rounds/{round_id:uuid}/close", opt=MANAGE_ROUNDS, tags=["visits"], status_code=200)
async def close_round(round_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Round:
    """End a round; what is open leaves the phones."""
    return await round_commands.close_round(round_id, actor, now)


@get("/rounds/{round_id:uuid}/assignments", opt=ROUNDS, tags=["visits"])
async def assignments(
    round_id: FromPath[UUID], actor: NamedDependency[Actor], person: FromQuery[UUID | None] = None
) -> list[Assignment]:
    """List who visits whom on which day, each list in walking order."""
    return await round_commands.list_assignments(round_id, person, actor)


@get("/visits", opt=VISITS, tags=["visits"])
async def visits(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    round_id: FromQuery[UUID | None] = None,
    household_id: FromQuery[UUID | None] = None,
    before: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> Response[list[Visit]]:
    """List visits, newest first."""
    return _page(
        request, await visit_commands.list_visits(actor, round_id, household_id, before, limit), limit, "before"
    )


@get("/visits/{visit_id:uuid}", opt=VISITS, tags=["visits"])
async def visit(visit_id: FromPath[UUID], actor: NamedDependency[Actor]) -> VisitView:
    """Show a visit with the state of its evidence."""
    return await visit_commands.show_visit(visit_id, actor)


@get("/visits/{visit_id:uuid}/evidence/{evidence_id:uuid}/link", opt=VISITS, tags=["visits"])
async def evidence_link(
    visit_id: FromPath[UUID],
    evidence_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    variant: Variant = "1280",
) -> EvidenceLink:
    """Give a short-lived link to a photo of a visit."""
    return await visit_commands.evidence_link(visit_id, evidence_id, variant, actor, now)


routes: list[Any] = [
    register_household,
    households,
    household,
    change_household,
    unmask,
    publish_questionnaire,
    questionnaires,
    plan_round,
    rounds,
    round_,
    preview,
    assign,
    reassign,
    close_round,
    assignments,
    visits,
    visit,
    evidence_link,
    *map_api.routes,
    *callback_api.routes,
    *note_api.routes,
    *rule_api.routes,
    *household_import_api.routes,
    *sync_api.routes,
]
