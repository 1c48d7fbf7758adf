"""What is done to rounds: plan, preview, assign, reassign, close; each function one use case in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import changes, db, fact, outbox
from app.kernel.actor import Actor
from app.kernel.clock import SHANGHAI
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, NotPermitted, StaleVersion
from grid import facts as grid_facts
from grid.organisations import Directory
from visits import buckets, facts, households, planning, proposal, round_store, rounds, rule_commands, store
from visits.events import RoundClosed, RoundPublished
from visits.households import Household
from visits.planning import Evening, Member, Plan, Stop
from visits.problems import RoundNotFound, RoundRefuses
from visits.proposal import PlanRequest, Preview, Reassign
from visits.rounds import Assignment, AssignmentState, NewRound, Round, RoundState


class _Draft(Struct, frozen=True):
    """Everything a plan is made of."""

    homes: Mapping[UUID, Household]
    excluded: dict[str, int]
    members: tuple[Member, ...]
    plan: Plan


def _ownership(round_: Round) -> Ownership:
    return Ownership(area=round_.target.area, organisations=frozenset(round_.squads))


async def plan_round(new: NewRound, actor: Actor, now: datetime) -> Round:
    """Make a draft of a round; Invalid lists every bad field, the area and the squads must be the actor's."""
    start, end = rounds.hours_of(new)
    round_ = Round(
        id=new.id or new_id(),
        name=new.name,
        kind=new.kind,
        starts_on=new.starts_on,
        ends_on=new.ends_on,
        hours_from=start,
        hours_to=end,
        target=new.target,
        squads=new.squads,
        questionnaire=new.questionnaire,
        questionnaire_version=new.questionnaire_version,
        quota=new.quota,
        per_evening=new.per_evening,
        state=RoundState.DRAFT,
        version=1,
        created_by=actor.id,
        created_at=now,
    )
    async with db.transaction(actor.district):
        scope.require(actor, "round.manage", Ownership(area=new.target.area), NotPermitted())
        errors = rounds.check(new) + _foreign_squads(new, actor, await grid_facts.directory(now))
        if errors:
            raise Invalid(errors)
        await store.questionnaire(new.questionnaire, new.questionnaire_version)
        if await round_store.find_round(round_.id) is not None:
            raise RoundRefuses(("轮次编号已被使用", "the id of the round is taken"))
        await round_store.add_round(round_)
    return round_


def _foreign_squads(new: NewRound, actor: Actor, directory: Directory) -> list[FieldError]:
    reach = scope.reach(actor, "round.manage")
    errors: list[FieldError] = []
    for n, squad in enumerate(new.squads):
        found = directory.get(squad)
        mine = found is not None and reach.covers(Ownership(area=found.area, organisations=frozenset({squad})))
        if not mine:
            errors.append(FieldError(f"squads[{n}]", ("没有这个小分队", "no such squad")))
    return errors


async def preview(round_id: UUID, request: PlanRequest, actor: Actor, now: datetime) -> Preview:
    """Show what assigning would give; changes nothing."""
    async with db.transaction(actor.district):
        round_ = await _managed(round_id, actor)
        draft = await _draft(round_, request, await round_store.assignments(round_id), now)
    return proposal.preview(round_, draft.plan, [member.person for member in draft.members], draft.excluded)


async def _managed(round_id: UUID, actor: Actor, *, lock: bool = False) -> Round:
    round_ = await round_store.round_(round_id, lock=lock)
    scope.require(actor, "round.manage", _ownership(round_), RoundNotFound())
    return round_


async def _draft(
    round_: Round, request: PlanRequest, standing: Sequence[Assignment], now: datetime, *, hold: bool = False
) -> _Draft:
    days = rounds.days(round_, now)
    if not days or round_.state is RoundState.CLOSED:
        raise RoundRefuses(("轮次已结束，没有可安排的日子", "the round is over: no day is left to plan"))
    done = {each.household_id for each in standing if each.state is AssignmentState.DONE}
    homes, excluded = await _homes(round_, done, now)
    by_hand = [each for each in request.by_hand if each.household in homes]
    members = await _members(round_, request, days, now, hold=hold)
    proposal.check_by_hand(request, homes, members, days, round_.per_evening)
    fixed = {each.household for each in by_hand}
    stops = [Stop(home.id, home.lon, home.lat, home.area) for home in homes.values() if home.id not in fixed]
    plan = planning.assign(
        stops,
        planning.with_booked(members, [(each.person, each.planned_on) for each in by_hand]),
        days,
        round_.per_evening,
    )
    squads = {member.person: member.squad for member in members}
    lists = [Evening(each.person, squads[each.person], each.planned_on, (each.household,), 0.0) for each in by_hand]
    return _Draft(homes, excluded, members, Plan((*lists, *plan.evenings), plan.left_over))


async def _homes(round_: Round, done: set[UUID], now: datetime) -> tuple[dict[UUID, Household], dict[str, int]]:
    """The households to plan, longest unvisited first up to the quota, and how many are left out for which reason."""
    target, rules = round_.target, await rule_commands.rules()
    not_since = None if target.not_visited_days is None else now - timedelta(days=target.not_visited_days)
    found = await store.candidates(target.area, target.care_need, not_since, target.households)
    visits = await store.visits_since([home.id for home in found], now - timedelta(days=rules.period_days))
    excluded: dict[str, int] = {}
    homes: list[Household] = []
    for home in found:
        why = "done" if home.id in done else households.reason_not_to_plan(home, rules, visits.get(home.id, 0), now)
        if why is None:
            homes.append(home)
        else:
            excluded[why] = excluded.get(why, 0) + 1
    if round_.quota:
        homes.sort(key=lambda home: (home.last_visit_at is not None, home.last_visit_at or now, home.id))
        excluded |= {"over_quota": max(0, len(homes) - round_.quota)} if len(homes) > round_.quota else {}
        homes = homes[: round_.quota]
    return {home.id: home for home in homes}, excluded


async def _members(
    round_: Round, request: PlanRequest, days: Sequence[date], now: datetime, *, hold: bool = False
) -> tuple[Member, ...]:
    """The members to plan for, with the cells they keep and what other rounds already ask of them on those days.

    With `hold` no other round is given out to them until the transaction ends: their evenings would be filled twice.
    """
    directory = await grid_facts.directory(now)
    known: dict[UUID, Member] = {}
    for squad in round_.squads:
        for person in await grid_facts.members(squad, now):
            home = directory.get(person.organisation)
            cells = frozenset({home.area} if home is not None and len(home.area) >= 12 else ())
            known.setdefault(person.id, Member(person.id, squad, cells))
    strangers = [n for n, choice in enumerate(request.members) if choice.person not in known]
    if strangers:
        message = ("不是本轮次小分队的成员", "not a member of the round's squads")
        raise Invalid([FieldError(f"members[{n}].person", message) for n in strangers])
    chosen = [replace(known[c.person], cells=frozenset(c.cells) or known[c.person].cells) for c in request.members]
    members = chosen or list(known.values())
    if hold:
        await grid_facts.hold_people([member.person for member in members])
    loads = await round_store.loads([member.person for member in members], days, round_.id)
    return tuple(replace(member, booked=loads.get(member.person, {})) for member in members)


async def assign(round_id: UUID, request: PlanRequest, actor: Actor, now: datetime) -> Round:
    """Give out the round: what is done stays, everything else is planned anew; phones see it by their next pull.

    StaleVersion when the round changed since `request.version` was seen.
    """
    async with db.transaction(actor.district):
        round_ = await _managed(round_id, actor, lock=True)
        if request.version is not None and request.version != round_.version:
            raise StaleVersion(version=round_.version)
        standing = await round_store.lock_assignments(round_id)
        draft = await _draft(round_, request, standing, now, hold=True)
        before = {each.household_id: each for each in standing if each.half is round_.kind}
        after = proposal.planned(round_, draft.plan, before)
        round_ = replace(round_, state=RoundState.PUBLISHED, version=round_.version + 1)
        await round_store.save_state(round_)
        await _publish(round_, after, before, now)
        await changes.append_many(
            [
                (buckets.squad(squad), "round", round_.id, round_.version, rounds.feed_body(round_))
                for squad in round_.squads
            ]
        )
        published = RoundPublished(
            id=new_id(),
            at=now,
            actor=actor.id,
            round_id=round_id,
            households=len(draft.homes),
            left_over=len(draft.plan.left_over),
        )
        await outbox.emit(published)
    return round_


async def _publish(
    round_: Round, after: Sequence[Assignment], before: Mapping[UUID, Assignment], now: datetime
) -> None:
    """Write assignments with their feed and facts; `before` is by household."""
    await round_store.put_assignments(after)
    homes = {home.id: home for home in await store.households_of([each.household_id for each in after])}
    drafts: list[changes.Draft] = []
    for each in after:
        old = before.get(each.household_id)
        drafts += assignment_changes(each, old.person if old else None, homes[each.household_id], now)
    await changes.append_many(drafts)
    who = await standings([each.person for each in after if each.person is not None], now)
    await fact.append(
        [facts.of_assignment(each, homes[each.household_id].area, round_, who.get(each.person), now) for each in after]
    )


async def standings(persons: Sequence[UUID], now: datetime) -> dict[UUID | None, facts.Standing]:
    """Return for whom each person's work counts."""
    directory = await grid_facts.directory(now)
    known = await grid_facts.people(list(set(persons)))
    return {
        person: facts.standing(person, known[person].organisation if person in known else None, directory)
        for person in set(persons)
    }


def assignment_changes(
    assignment: Assignment, old_person: UUID | None, home: Household, now: datetime
) -> list[changes.Draft]:
    """Return the feed changes of an assignment: taken from whoever had it, put to whoever has it now."""
    drafts: list[changes.Draft] = []
    key = ("assignment", assignment.id, assignment.version)
    if old_person is not None and old_person != assignment.person:
        drafts.append((buckets.person(old_person), *key, None))
    if assignment.person is not None:
        body = None
        if assignment.state is not AssignmentState.CANCELLED:
            body = rounds.assignment_body(assignment, home, now.astimezone(SHANGHAI).date())
        drafts.append((buckets.person(assignment.person), *key, body))
    return drafts


async def reassign(round_id: UUID, command: Reassign, actor: Actor, now: datetime) -> int:
    """Hand all of a member's open visits of a round to another member of its squads; return how many."""
    async with db.transaction(actor.district):
        round_ = await _managed(round_id, actor, lock=True)
        days = rounds.days(round_, now)
        members = {each.person: each for each in await _members(round_, PlanRequest(), days, now, hold=True)}
        if command.target not in members:
            message = ("不是本轮次小分队的成员", "not a member of the round's squads")
            raise Invalid([FieldError("target", message)])
        await _has_room(round_, command)
        return await give_all(round_, command.source, command.target, members[command.target].squad, now)


async def _has_room(round_: Round, command: Reassign) -> None:
    """Refuse to fill somebody's evenings over the cap; planning anew without the member who leaves spreads them."""
    open_visits = await round_store.assignments(round_.id, command.source)
    extra = Counter(
        each.planned_on for each in open_visits if each.state is AssignmentState.PLANNED and each.planned_on
    )
    booked = (await round_store.loads([command.target], list(extra), None)).get(command.target, {})
    if any(count + booked.get(day, 0) > round_.per_evening for day, count in extra.items()):
        raise RoundRefuses(
            (
                "对方当晚安排会超过上限，请重新分派",
                "an evening of theirs would be over the cap: assign anew without the leaver",
            )
        )


async def give_all(round_: Round, source: UUID, target: UUID | None, squad: UUID | None, now: datetime) -> int:
    """Give all open visits of a locked round to somebody else, in the caller's transaction; None: to be planned anew.

    Returns how many there were.
    """
    mine = [
        each
        for each in await round_store.lock_assignments(round_.id)
        if each.person == source and each.state is AssignmentState.PLANNED
    ]
    moved = [replace(each, person=target, squad=squad or each.squad, version=each.version + 1) for each in mine]
    await _publish(round_, moved, {each.household_id: each for each in mine}, now)
    return len(moved)


async def close_round(round_id: UUID, actor: Actor, now: datetime) -> Round:
    """End a round: what is still open leaves the phones; what was visited under it stays for ever."""
    async with db.transaction(actor.district):
        round_ = await _managed(round_id, actor, lock=True)
        if round_.state is RoundState.CLOSED:
            return round_
        round_ = replace(round_, state=RoundState.CLOSED, version=round_.version + 1)
        await round_store.save_state(round_)
        gone: list[changes.Draft] = [
            (buckets.person(each.person), "assignment", each.id, each.version + 1, None)
            for each in await round_store.lock_assignments(round_id)
            if each.person is not None
        ]
        gone += [(buckets.squad(squad), "round", round_.id, round_.version, None) for squad in round_.squads]
        await changes.append_many(gone)
        await outbox.emit(RoundClosed(id=new_id(), at=now, actor=actor.id, round_id=round_id))
    return round_


async def renew_day(district: str, now: datetime) -> int:
    """Bring care needs to the phones for today's visits and take yesterday's away; once a day, then nothing."""
    today = now.astimezone(SHANGHAI).date()
    async with db.transaction(district):
        if not await round_store.begin_day(today, now):
            return 0
        turns = await round_store.assignments_on([today - timedelta(days=1), today])
        homes = {home.id: home for home in await store.households_of([each.household_id for each in turns])}
        drafts = [draft for each in turns for draft in assignment_changes(each, None, homes[each.household_id], now)]
        await changes.append_many(drafts)
    return len(drafts)


async def get_round(round_id: UUID, actor: Actor) -> Round:
    """Return a round; RoundNotFound when it is not the actor's, who may also be one of those it was given to."""
    async with db.transaction(actor.district):
        round_ = await round_store.round_(round_id)
        mine = frozenset({actor.id} if await round_store.has_person(round_id, actor.id) else ())
        owner = Ownership(area=round_.target.area, organisations=frozenset(round_.squads), persons=mine)
        scope.require(actor, "round.read", owner, RoundNotFound())
    return round_


async def list_rounds(actor: Actor, before: UUID | None, limit: int) -> list[Round]:
    """Return the actor's rounds, newest first."""
    reach = scope.require_any(actor, "round.read")
    async with db.transaction(actor.district):
        return await round_store.rounds(reach, before, limit)


async def seen_by(round_id: UUID, actor: Actor) -> UUID | None:
    """Return None to whom the whole round may be shown, else the actor: they see what they were given of it."""
    round_ = await get_round(round_id, actor)
    return None if scope.may(actor, "round.read", _ownership(round_)) else actor.id


async def list_assignments(round_id: UUID, person: UUID | None, actor: Actor) -> list[Assignment]:
    """Return the lists of a round; whoever was only given something of it sees their own."""
    only = await seen_by(round_id, actor)
    async with db.transaction(actor.district):
        return await round_store.assignments(round_id, only or person)
