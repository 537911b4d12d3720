"""What actions can be made from: the manual evidence that connectors declare."""

from dataclasses import dataclass

from connectors import registry
from connectors.spec import Connector, Manual


@dataclass(frozen=True)
class Template:
    """A connector's manual evidence; `slug` names both, as "segment/access-review"."""

    connector: Connector
    manual: Manual

    @property
    def slug(self) -> str:
        return f"{self.connector.slug}/{self.manual.slug}"

    @property
    def wants(self) -> str:
        """What the evidence must show, a line each."""
        return "\n".join(self.manual.visible)


def every() -> list[Template]:
    return [
        Template(connector, manual)
        for connector in registry.all_connectors().values()
        for manual in connector.guide.manuals
    ]


def find(slug: str) -> Template | None:
    return next((each for each in every() if each.slug == slug), None)


def for_control(framework: str, ref: str) -> list[Template]:
    """The templates whose evidence supports a control."""
    return [each for each in every() if f"{framework} {ref}" in each.manual.supports]
