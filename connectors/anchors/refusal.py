"""Why an anchor could not be made."""


class AnchorFailed(Exception):
    """`code` names the hint; the message is one sentence and holds no address and no password."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
