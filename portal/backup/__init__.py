"""A backup: everything that the portal keeps, in one zip that either database can be filled from.

`tables` says what is kept and how a row is written as a line, `moment` lets all tables be read as of one moment,
`writing` makes the file, `archive` opens one that nobody has to trust, `lockbox` holds private keys, `restoring` fills
an empty portal.
"""

FORMAT = 1  # of the archive; a new number when an older portal would misread it
MANIFEST = "manifest.json"
TRUSTED, PRIVATE = "keys/trusted.pub", "keys/private.bin"
TABLES, FILES = "tables/", "files/"


class Refused(Exception):
    """A backup or a restore that was not done; the message says why and what to do."""
