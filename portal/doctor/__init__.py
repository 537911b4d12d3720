"""Is the portal well? `examination` asks everything; each check is a small function that says what it saw."""
