"""The rights matrix: which role reaches which objects with which action. Data; the docs print it, a test walks it.

Reach: `-` none; `own` objects of the person; `org` objects of the organisations of the membership;
`area` those and all in the area of the membership and below; `all` the whole district.
Machines and devices act within the scopes of their key, whatever this table says of people; `NOT_FOR_MACHINES` are
no use in a key.
"""

from app.kernel.actor import Role

COLUMNS = (
    Role.GRID_WORKER,
    Role.OFFICER,
    Role.SQUAD_LEADER,
    Role.STATION,
    Role.TOWN_CENTRE,
    Role.TOWN_MANAGER,
    Role.DEPARTMENT,
    Role.DISTRICT_CENTRE,
    Role.AUDITOR,
    Role.ADMINISTRATOR,
    "citizen",
)

REACHES = ("-", "own", "org", "area", "all")

TABLE = """
action              grid  offic squad stat  town  manag dept  distr audit admin citizen
session.manage      own   own   own   own   own   own   own   own   own   own   own
device.register     own   own   own   own   own   own   own   own   own   own   -
device.manage       -     -     -     -     -     -     -     -     -     all   -
account.manage      -     -     -     -     -     -     -     -     -     all   -
key.manage          -     -     -     -     -     -     -     -     -     all   -
access_log.read     -     -     -     -     -     -     -     -     all   -     -
dead_letter.read    -     -     -     -     -     -     -     -     -     all   -
dead_letter.replay  -     -     -     -     -     -     -     -     -     all   -
grid.read           area  area  area  area  area  area  all   all   all   all   -
grid.locate         all   all   all   all   all   all   all   all   -     all   -
grid.manage         -     -     -     -     area  -     -     all   -     all   -
organisation.read   all   all   all   all   all   all   all   all   all   all   -
organisation.manage -     -     -     -     -     -     -     all   -     all   -
person.read         org   org   org   area  area  area  org   all   -     all   -
person.handover     -     -     -     -     area  -     -     all   -     all   -
duty.read           area  area  area  area  area  area  area  all   -     all   -
duty.manage         -     -     area  area  area  -     -     all   -     all   -
squad.manage        -     -     -     -     area  -     -     all   -     all   -
questionnaire.read  all   all   all   all   all   all   all   all   -     -     -
questionnaire.write -     -     -     -     -     -     -     all   -     -     -
request.submit      -     -     -     -     -     -     -     -     -     -     own
request.follow      -     -     -     -     -     -     -     -     -     -     own
personal.export     -     -     -     -     -     -     -     -     -     -     own
personal.erase      -     -     -     -     -     -     -     -     -     -     own
case.create         own   own   own   org   area  -     org   all   -     -     -
case.read           area  org   area  area  area  area  org   all   -     -     own
case.view           area  org   area  area  area  area  org   all   -     -     -
case.act            org   org   org   org   area  -     org   all   -     -     -
case.stream         area  org   area  area  area  area  org   all   -     -     -
case.contact        -     org   org   org   area  -     org   all   -     -     -
case.import         -     -     -     -     area  -     -     all   -     -     -
case.claim          org   org   org   org   area  -     org   all   -     -     -
case.export         -     -     -     area  area  area  org   all   -     -     -
figure.read         -     -     area  area  area  area  org   all   -     -     -
queue.read          org   org   org   org   org   org   org   org   -     -     -
queue.write         own   own   org   org   org   own   org   org   -     -     -
template.read       org   org   org   org   org   org   org   all   -     -     -
template.manage     -     -     -     org   org   -     org   all   -     -     -
push.send           -     -     -     -     -     -     -     -     -     -     -
push.sandbox        -     -     -     -     -     -     -     -     -     -     -
source.read         -     -     -     -     -     -     -     all   -     -     -
source.manage       -     -     -     -     -     -     -     all   -     -     -
item.read           all   all   all   all   all   all   all   all   -     -     all
item.manage         -     -     -     -     -     -     -     all   -     -     -
difficult.read      -     -     all   all   all   all   all   all   -     -     -
difficult.manage    -     -     -     -     -     -     -     all   -     -     -
calendar.read       all   all   all   all   all   all   all   all   -     -     -
calendar.manage     -     -     -     -     -     -     -     all   -     -     -
loop.read           -     -     -     area  area  area  -     all   -     -     -
rule.read           -     -     -     -     -     -     -     all   -     -     -
rule.manage         -     -     -     -     -     -     -     all   -     -     -
household.read      area  area  area  area  area  area  -     all   -     -     -
household.write     area  -     area  area  area  -     -     all   -     -     -
household.unmask    area  own   area  area  area  -     -     all   -     -     -
visit_rule.read     all   all   all   all   all   all   -     all   -     -     -
visit_rule.manage   -     -     -     -     -     -     -     all   -     -     -
round.read          org   org   area  area  area  area  -     all   -     -     -
round.manage        -     -     area  -     area  -     -     all   -     -     -
visit.read          own   own   area  area  area  area  -     all   -     -     -
visit.record        area  area  area  area  area  -     -     all   -     -     -
callback.manage     -     -     -     -     area  -     -     all   -     -     -
note.read           org   org   area  area  area  -     -     all   -     -     -
note.write          org   org   area  -     area  -     -     all   -     -     -
sync.use            own   own   own   own   own   own   own   own   -     -     -
sync.watch          own   own   org   own   area  -     -     all   -     -     -
open311.submit      -     -     -     -     -     -     -     -     -     -     -
sensing.read        area  area  area  area  area  area  org   all   -     -     -
sensing.manage      -     -     -     -     -     -     org   all   -     -     -
sensing.publish     -     -     -     -     -     -     -     all   -     -     -
sensing.record      -     -     -     -     -     -     -     -     -     -     -
notice.read         org   org   org   org   org   org   org   org   -     -     own
webhook.manage      -     -     -     -     -     -     -     all   -     -     -
notice.watch        -     -     -     -     -     -     -     all   -     all   -
scheme.read         all   all   all   all   all   all   all   all   -     -     -
scheme.manage       -     -     -     -     -     -     -     all   -     -     -
score.read          -     -     org   -     area  area  org   all   -     -     -
score.appeal        -     -     org   -     area  area  org   -     -     -     -
score.decide        -     -     -     -     -     -     -     all   -     -     -
score.compute       -     -     -     -     -     -     -     all   -     -     -
"""


def parse(table: str) -> dict[str, dict[str, str]]:
    """Return action → column → reach; ValueError for a row that does not fit the columns."""
    actions: dict[str, dict[str, str]] = {}
    for line in table.strip().splitlines()[1:]:
        action, *cells = line.split()
        if len(cells) != len(COLUMNS) or not set(cells) <= set(REACHES):
            raise ValueError(f"rights matrix: bad row {action!r}")
        actions[action] = dict(zip(COLUMNS, cells, strict=True))
    return actions


ACTIONS = parse(TABLE)

NOT_FOR_MACHINES = frozenset(
    {
        "session.manage", "device.register", "personal.export", "personal.erase", "sync.use", "sensing.record",
        "rule.manage", "case.claim", "queue.read", "queue.write", "template.manage",
    }
)  # fmt: skip
"""What no key opens: only people sign in, have phones and personal data, draft or review rules, have cases in hand and
queues of their own; only sensors and gateways send readings."""

FOR_DEVICES = frozenset({"sensing.record"})
"""What the keys of sensors and gateways open."""
