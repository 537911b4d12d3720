"""What admins and readers are told about a service."""

from dataclasses import dataclass

from .errors import Actor


@dataclass(frozen=True)
class Hint:
    """What a person reads when a code appears: what happened, why, what to do, who must act."""

    code: str
    title: str
    cause: str
    cure: str
    acts: Actor


@dataclass(frozen=True)
class Link:
    """A page of the service. `region`: the region whose page it is, "" for all."""

    title: str
    url: str
    region: str = ""


@dataclass(frozen=True)
class Step:
    """One thing to do in the service; `links` lead to where it is done, one for each region that has its own."""

    title: str
    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class TokenRole:
    """A role that a token can be made with, and what it means for the evidence.

    name    what is kept on the connection, 20 characters at most
    doubt   what a list that was read with it cannot prove, a sentence; "" when it sees everything
    excess  what whoever holds such a token could do that reading does not need, a sentence; "" when nothing
    """

    name: str
    title: str
    means: str
    doubt: str = ""
    excess: str = ""


@dataclass(frozen=True)
class LesserRole:
    """A role of the service that lets a token without all rights read some streams (`Stream.roles`).

    name     as the service writes it
    means    what it lets the token read
    changes  what it lets the token change besides; "" when it only reads
    plan     the plan that offers it, "" when every plan does
    """

    name: str
    means: str
    changes: str = ""
    plan: str = ""


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Evidence that the service's API does not give, or does not finish: a person fetches it, guided by this.

    slug        stable: actions that were made from it keep it
    about       what it is evidence of, and why no reading gives it
    steps       where to click and what to do, one thing each
    visible     what a picture or file must show so that somebody else can judge it
    valid_days  for how many days it counts
    recurs      how often it is due again: month, quarter, half, year
    supports    the controls that it supports, as "soc2 CC6.1": the slug of a framework and its own id
    report      the report that is captured instead of a picture, "" when there is none
    """

    slug: str
    title: str
    about: str
    steps: tuple[str, ...]
    visible: tuple[str, ...]
    valid_days: int
    recurs: str
    supports: tuple[str, ...]
    report: str = ""


@dataclass(frozen=True)
class Guide:
    """What an admin reads before and after there is a token.

    never   what the portal never reads or never keeps, a sentence each
    limits  how often the service may be asked, and what the portal makes of it, a sentence each
    revoke  what to do in the service with a token that got out
    hints   what this service adds to the portal's own hints; one with the same code takes the other's place
    lesser  the roles that streams name, those that only read first
    manuals what people fetch by hand, because the API does not give it
    """

    steps: tuple[Step, ...]
    roles: tuple[TokenRole, ...]
    never: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()
    limits: tuple[str, ...] = ()
    revoke: tuple[Step, ...] = ()
    lesser: tuple[LesserRole, ...] = ()
    manuals: tuple[Manual, ...] = ()
