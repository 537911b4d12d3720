"""A Segment Public API on loopback, with invented workspaces: for the demo, the tests and the bench.

It speaks real HTTP/1.1 and needs neither Django nor a package. For tests:

    with serve(size="small") as simulator:
        simulator.url, simulator.tokens["owner"]            where, and as whom
        simulator.settings.day = 3                          any setting may change while it runs, see `settings`
        simulator.faults.append(Fault("^/users$", "html"))  see `faults`
        simulator.requests                                  what was asked: method, path, query, token, status
        simulator.throttled                                 how many of those were answered 429
        simulator.effects                                   those that would have done something, though they only ask
        simulator.secrets                                   all that must never be kept

What is where:

    endpoints    the paths, a table               server     the running thing
    tokens       who may ask                      wire       HTTP on a connection
    view         what a token sees                api        from a request to an answer
    params       what a parameter must be         answers    JSON and refusals
    limits       how many calls per minute        cursors    places in a list
    settings     what is served, and how          faults     what can go wrong
    world        records of a day                 cli        the command
    company      what there is, and its size      demo       Fernhill Outdoor
    catalog      kinds of things                  drift      what changes, when
    rules        rules of tracking plans          extras     what lies beside listings
    functions    code, and where it runs          engage     audiences and computed traits
    warehousing  syncs into warehouses            usage      calls and users, day by day
    delivery     what became of the calls         hostile    nasty names
    canaries     what must never be kept          dice       draws that repeat

The data depend on size and day alone. Each day 1 % of the listed records change; one in four of those that nothing
refers to gives way to a new one, so that the totals stay. Sizes (sources, destinations, users, plans with rules):

    small   20     40    25    5 x  50      340 records, 0.54 MB,   9 pages of 200
    medium  200   400   200   40 x 200    8,840 records, 14 MB,    45 pages
    large  1000  4000  3000  200 x 500  108,200 records, 172 MB,  641 pages

Beside these, each day brings events of the audit trail, requests for deletion and syncs of the warehouses, and takes
those away that have become too old (90, 90 and 30 days); audiences grow; every 16 days somebody changes a function.
The clock stands still at the end of the day: usage and delivery have no numbers for what comes after it.

What the service does not document is chosen here, and marked where it is chosen: a member's lists are filtered
without a word, a minimal token is refused everything but the workspace, usage is for owners, a feature that is off
answers 403 or 404 (in the EU workspace), a count above 1,000 (200 for audiences) answers 422 as does any parameter
that is not what it must be, a token of the other region 401.
"""

from collections.abc import Iterable

from .cli import run
from .faults import BadFaults, Fault
from .server import Logged, PortTaken, Simulator
from .settings import Settings, Wait
from .tokens import TOKENS

__all__ = ["TOKENS", "BadFaults", "Fault", "Logged", "PortTaken", "Settings", "Simulator", "Wait", "run", "serve"]


def serve(
    port: int = 0,
    size: str = "small",
    day: int = 0,
    latency_ms: float = 0,
    faults: Iterable[Fault] = (),
    *,
    eu_port: int | None = None,
    hostile: bool = False,
    user_permissions: bool = False,
    rate_limits: bool = False,
    cap: int | None = None,
    minute: float = 60.0,
    wait: Wait = "header",
) -> Simulator:
    """A simulator in a thread of its own, to be closed by `close` or by leaving `with`. Raises PortTaken."""
    settings = Settings(size, day, latency_ms, hostile, user_permissions, rate_limits, cap, minute, wait)
    simulator = Simulator(settings, faults)
    try:
        simulator.listen(port)
        if eu_port is not None:
            simulator.listen(eu_port, "eu")
    except PortTaken:
        simulator.close()
        raise
    return simulator.start()
