"""What is said about the evidence. Each model says which module writes it."""

from .actions import Action, Recurs, Stand, Step
from .audits import Answer, Asked, Audit, AuditRequest, Bundle, EvidenceItem, Phase, Scoped
from .frameworks import Control, Edition, Framework
from .library import (
    Artifact,
    ArtifactRecord,
    Collection,
    Drift,
    Every,
    Kind,
    Look,
    Review,
    Source,
    State,
    Tag,
    Version,
)
from .proofs import Erasure, Keep, Outcome, Retention, Stage, Verification
from .talk import Comment, Notice, SavedView, Undo

__all__ = [
    "Action",
    "Answer",
    "Artifact",
    "ArtifactRecord",
    "Asked",
    "Audit",
    "AuditRequest",
    "Bundle",
    "Collection",
    "Comment",
    "Control",
    "Drift",
    "Edition",
    "Erasure",
    "Every",
    "EvidenceItem",
    "Framework",
    "Keep",
    "Kind",
    "Look",
    "Notice",
    "Outcome",
    "Phase",
    "Recurs",
    "Retention",
    "Review",
    "SavedView",
    "Scoped",
    "Source",
    "Stage",
    "Stand",
    "State",
    "Step",
    "Tag",
    "Undo",
    "Verification",
    "Version",
]
