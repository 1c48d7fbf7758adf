"""The query of figures: one pass over an index of the cases and one of the leads' turns; the caller's transaction."""

from datetime import datetime

from app.identity.scope import Reach
from app.kernel import db
from grid.organisations import Directory
from tasks.cases import listing
from tasks.cases.figures import GROUPS, Asked, Measured
from tasks.cases.listing import Filter, Where


async def measure(asked: Asked, reach: Reach, directory: Directory, now: datetime) -> list[Measured]:
    """Return what is counted per group and for the whole; of what is within reach only. Invalid for a bad filter.

    The turn that was handed in is the lead's whose `submitted_at` is the case's `handled_at`.
    """
    where = Where()
    names = ("since", "until", "item", "source", "severity", "area")
    listed = Filter(**{name: getattr(asked, name) for name in names})
    listing.add_all(where, listed, now)
    if asked.lead is not None:
        where.add("c.last_lead = {}", asked.lead)
    condition = where.all(listing.visible(where, reach, directory))
    key, shown = GROUPS[asked.group_by]
    present = where.bind("{}", now)
    rows = await db.fetch(
        f"""
        select {shown} as key, grouping(f.key) = 1 as whole, count(*) as cases, count(handled_at) as handled,
            count(*) filter (where solved_at_once) as solved_on_the_spot,
            avg(hours) filter (where timed) as mean,
            percentile_cont(array[0.5, 0.9]) within group (order by hours) filter (where timed) as quantiles,
            count(*) filter (where timed and handled_at <= handle_due) as on_time,
            count(*) filter (where timed and handle_due is not null or late) as decided,
            coalesce(sum(returns), 0) as returns, coalesce(sum(reworks), 0) as reworks,
            coalesce(sum(redos), 0) as redos, coalesce(sum(reopens), 0) as reopens
        from (
            select {key} as key, c.handled_at, c.solved_at_once, l.handle_due,
                c.handled_at is not null and not c.solved_at_once as timed,
                c.handled_at is null and c.due_at < {present} as late,
                (extract(epoch from c.handled_at - c.received_at) / 3600)::double precision as hours,
                c.returns, c.reworks, c.redos, c.reopens
            from cases c left join case_leg l on l.case_id = c.id and l.kind = 'root'
                and l.state in ('submitted', 'confirmed') and l.submitted_at = c.handled_at
            where {condition}
        ) f
        group by grouping sets ((f.key), ())
        """,
        *where.arguments,
    )
    return [Measured(**dict(row)) for row in rows]
