"""What the commands' exit codes mean."""

USAGE = 2
REFUSED = 3
UNREACHABLE = 4
PARTIAL = 5

_REFUSED = frozenset(
    {
        "token-rejected",
        "token-missing",
        "token-unreadable",
        "token-misplaced",
        "wrong-workspace",
        "not-permitted",
        "not-found",
    }
)


def code_for(error_code: str) -> int:
    """The exit code for a stable error code: 3 when the credential is at fault, 4 when the service is."""
    return REFUSED if error_code in _REFUSED else UNREACHABLE
