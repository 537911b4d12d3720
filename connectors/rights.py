"""What a token may read, why not, and which rights would be enough: decided from what a connector declares. Pure.

A refusal does not say its reason: the same 403 may mean the role of the token or the plan of the workspace. What can
be ruled out is ruled out by the role that the token was made with, as an administrator said; the rest stays unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .spec import Connector, Group, LesserRole, Stream, TokenRole

REFUSALS = frozenset({401, 403, 404})


class Cause(StrEnum):
    """Why a stream is as a check found it; the first ones are what an administrator looks for."""

    READABLE = "readable"
    ROLE = "role"  # the token's roles do not cover it
    PLAN = "plan"  # the workspace's plan does not hold it
    OFF = "off"  # a feature that is not switched on
    UNKNOWN = "unknown"  # role or plan, or neither: the answer does not tell
    FAILED = "failed"  # no answer that means anything
    NOT_CHECKED = "not_checked"


def role_of(connector: Connector, name: str) -> TokenRole | None:
    """The role that a token was made with, as somebody said; None when nobody did."""
    return next((role for role in connector.guide.roles if role.name == name), None)


def full_role(connector: Connector) -> TokenRole | None:
    """The role that sees everything."""
    return next((role for role in connector.guide.roles if not role.doubt), None)


def sees_all(role: TokenRole | None) -> bool:
    return role is not None and not role.doubt


def contradicted(connector: Connector, statuses: Mapping[str, int], role: TokenRole | None) -> bool:
    """Whether a token that should see everything was refused what no plan keeps back: stream -> status."""
    plain = [stream for stream in connector.streams if not stream.plan and not stream.feature]
    return sees_all(role) and any(statuses.get(stream.name) in REFUSALS for stream in plain)


def cause(stream: Stream, verdict: str, status: int, role: TokenRole | None, *, doubted: bool = False) -> Cause:
    """Why a check found a stream as it did; `verdict` is a checking.Capability's.

    doubted  whether the same check contradicts what was said of the token's role
    """
    if verdict in (Cause.READABLE, Cause.NOT_CHECKED):
        return Cause(verdict)
    if status not in REFUSALS:
        return Cause.FAILED
    if sees_all(role):  # so its role is not the reason, if it is what was said
        known = Cause.PLAN if stream.plan else Cause.OFF if stream.feature else Cause.UNKNOWN
        return Cause.UNKNOWN if doubted else known
    gated = stream.plan or stream.feature or stream.open
    return Cause.UNKNOWN if gated or status == 404 else Cause.ROLE


def why(stream: Stream, found: Cause, role: TokenRole | None) -> str:
    """What can be said of the reason, in sentences; "" where the answer speaks for itself."""
    match found:
        case Cause.ROLE:
            return "The token's roles do not cover it."
        case Cause.PLAN | Cause.OFF:
            return f"The token sees everything, as you said, so it is not its role: {_absent(stream)}."
        case Cause.UNKNOWN if sees_all(role):
            absent = f", unless {_absent(stream)}" if stream.plan or stream.feature else ""
            return f"A token of the role that you said sees it{absent}. Look in the service which role it has."
        case Cause.UNKNOWN:
            absent = f", or {_absent(stream)}" if stream.plan or stream.feature else ""
            return f"The answer does not say why: the token's roles do not cover it{absent}."
        case _:
            return ""


def _absent(stream: Stream) -> str:
    plan = f"the workspace is not on the plan {stream.plan}" if stream.plan else ""
    feature = f"“{stream.feature}” is not switched on there" if stream.feature else ""
    return ", or ".join(filter(None, (plan, feature)))


# --- the least that would do --------------------------------------------------------------------------


@dataclass(frozen=True)
class Needed:
    """A lesser role, and which of the chosen streams need it."""

    role: LesserRole
    streams: tuple[Stream, ...]


@dataclass(frozen=True)
class Saving:
    """A group without which less would do: roles that nothing else needs, and streams that only a token that sees
    everything is documented to read."""

    group: Group
    roles: tuple[LesserRole, ...]
    unread: tuple[Stream, ...]


@dataclass(frozen=True)
class Advice:
    """The least that would read what was chosen.

    needed  the lesser roles that are enough together for all streams but `none`
    none    the chosen streams for which no lesser role is documented
    full    the role that sees everything, for these
    excess  what the present token could do beyond reading, "" when nothing is known
    savings what to leave out to get by with less
    changes the needed roles that could change something as well
    """

    needed: tuple[Needed, ...]
    none: tuple[Stream, ...]
    full: TokenRole | None
    excess: str
    savings: tuple[Saving, ...]

    @property
    def changes(self) -> tuple[LesserRole, ...]:
        return tuple(each.role for each in self.needed if each.role.changes)

    @property
    def plans(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.role.plan for each in self.needed if each.role.plan))


def advice(connector: Connector, chosen: Sequence[Stream], role: TokenRole | None) -> Advice:
    """The least that would read the chosen streams, beside what a token of this role could do."""
    return Advice(
        needed=tuple(_needed(connector, chosen)),
        none=tuple(stream for stream in chosen if _only_full(stream)),
        full=full_role(connector),
        excess=role.excess if role is not None else "",
        savings=tuple(_savings(connector, chosen)),
    )


def _only_full(stream: Stream) -> bool:
    return not stream.roles and not stream.open


def _needed(connector: Connector, chosen: Sequence[Stream]) -> Iterable[Needed]:
    for role in connector.guide.lesser:
        if streams := tuple(stream for stream in chosen if role.name in stream.roles):
            yield Needed(role, streams)


def _savings(connector: Connector, chosen: Sequence[Stream]) -> Iterable[Saving]:
    """One for each group without which a role, or a token that sees everything, is needed for less."""
    every = {each.role.name for each in _needed(connector, chosen)}
    for group in connector.groups:
        rest = [stream for stream in chosen if stream.group != group]
        spared = every - {each.role.name for each in _needed(connector, rest)}
        roles = tuple(role for role in connector.guide.lesser if role.name in spared)
        unread = tuple(stream for stream in chosen if stream.group == group and _only_full(stream))
        if rest and (roles or unread):
            yield Saving(group, roles, unread)
