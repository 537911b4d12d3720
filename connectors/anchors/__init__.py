"""Anchors: proof, kept outside of this portal, that a workspace's newest snapshot was there.

The only writer of `Anchor` and `AnchorTry`.

making    what is still to be anchored, and doing it     folder, letter, stamp   one kind each
standing  how far each workspace is confirmed            proving          whether the chain still meets them
"""

from .making import carry_out, configured, queue
from .proving import verify
from .refusal import AnchorFailed
from .standing import contradicted, late, reach, refused

__all__ = [
    "AnchorFailed",
    "carry_out",
    "configured",
    "contradicted",
    "late",
    "queue",
    "reach",
    "refused",
    "verify",
]
