"""The tokens that the simulator accepts. They have the shape of real ones and are plainly not."""

from typing import Literal, NamedTuple

Role = Literal["owner", "member", "minimal", "revoked"]
Region = Literal["us", "eu"]
Place = Literal["home", "other", "eu"]


class Token(NamedTuple):
    """`place` is the workspace it opens. A token of the other region is refused as an unknown one is."""

    name: str
    role: Role
    region: Region = "us"
    place: Place = "home"

    @property
    def text(self) -> str:
        plain = self.name.title().replace("_", "")
        return "sgp_" + f"NotASecretSimulator{plain}".ljust(60, "0") + f"{plain}xxxx"[:2] + f"{len(plain):02}"


ALL = (
    Token("owner", "owner"),
    Token("owner_second", "owner"),  # another token of the same workspace
    Token("member", "member"),
    Token("member_minimal", "minimal"),
    Token("revoked", "revoked"),
    Token("other", "owner", place="other"),
    Token("eu_owner", "owner", region="eu", place="eu"),
    Token("eu_member", "member", region="eu", place="eu"),
)

TOKENS = {token.name: token.text for token in ALL}
BY_TEXT = {token.text: token for token in ALL}
