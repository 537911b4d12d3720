"""The workspace itself and the labels in it."""

from ...spec import KEEP, Group, Stream, Way
from .common import DOCS

BASICS = Group(
    "workspace",
    "Workspace",
    "Name and labels of the workspace.",
    why="It names what the evidence is about, and labels tell production from tests.",
)

WORKSPACE = Stream(
    name="workspace",
    title="Workspace",
    group=BASICS,
    about="Name, slug and id: all that the API tells of a workspace.",
    ways=(Way(path="/", items="workspace", paged=False),),
    key=("id",),
    shape={"id": KEEP, "slug": KEEP, "name": KEEP},
    open=True,
    source=DOCS + "Workspaces",
)
LABELS_IN_USE = Stream(
    name="labels",
    title="Labels",
    group=BASICS,
    about="Labels that sort sources into environments, teams and the like.",
    ways=(Way(path="/labels", items="labels", paged=False),),
    key=("key", "value"),
    shape={"key": KEEP, "value": KEEP, "description": KEEP},
    source=DOCS + "Labels",
)
