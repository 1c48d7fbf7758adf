"""What happened in evaluation, for whoever listens."""

from uuid import UUID

from app.kernel.event import Event


class SchemePublished(Event, frozen=True, kw_only=True):
    """A version of a scheme holds from its effective day."""

    scheme: UUID
    code: str
    version: int


class ScoresComputed(Event, frozen=True, kw_only=True):
    """The scores of a scheme for a period were computed anew; `subjects` are those whose total or rank moved."""

    run: UUID
    scheme: str
    period: str
    subjects: tuple[str, ...]


class PeriodStepped(Event, frozen=True, kw_only=True):
    """A period was frozen, opened for appeals, locked or reopened."""

    period: str
    state: str


class AppealRaised(Event, frozen=True, kw_only=True):
    """A subject contests a line or a fact."""

    appeal: UUID
    period: str
    subject: str


class AppealDecided(Event, frozen=True, kw_only=True):
    """An appeal was upheld or dismissed; `fact` is the fact to be put right by its owner, if one was struck out."""

    appeal: UUID
    period: str
    subject: str
    upheld: bool
    fact: str | None
