"""The district's own rules of visiting over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Any

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.kernel.actor import Actor
from visits import rule_commands
from visits.rule_commands import ChangedRules, RulesView


@get("/visit-rules", opt={"action": "visit_rule.read"}, tags=["visits"])
async def visit_rules(actor: NamedDependency[Actor]) -> RulesView:
    """Show for how long a refusal counts, how often a household is visited at most, who is told and called back."""
    return await rule_commands.show(actor)


@put("/visit-rules", opt={"action": "visit_rule.manage"}, tags=["visits"])
async def write_visit_rules(
    data: JSONBody[ChangedRules], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> RulesView:
    """Write the district's rules of visiting anew. 409 when somebody else has since the version you name."""
    return await rule_commands.write(data, actor, now)


routes: list[Any] = [visit_rules, write_visit_rules]
