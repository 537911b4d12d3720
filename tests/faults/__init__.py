"""The fault table: what can go wrong while a workspace is read, and the proof that no snapshot is silently wrong.

    python -m tests.faults > docs/FAULTS.md      writes the table for people anew

row      what a line of the table is       stage     a connected workspace on which a row is played
proofs   what is proved of a run           table     all rows
traffic  F1-F5, F29                        answers   F6-F10
lists    F11-F16, F21-F23                  access    F17-F20
house    F24-F31: the portal's own faults  document  the table for people
"""
