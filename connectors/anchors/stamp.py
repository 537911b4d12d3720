"""RFC 3161: a server that the operator chose signs that this header was there at this time.

An answer is kept only when it is proved: by the pinned root, one of the pinned policies, the nonce of our question and
the header's own bytes. The same proof, without the nonce, is repeated by every verification, and needs no network;
`openssl ts -verify` can do it as well.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from django.conf import settings
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ..http import posting
from ..models import Snapshot
from ..spec import ConnectorError
from .refusal import AnchorFailed

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
GRANTED = 0  # RFC 3161, 2.4.2: PKIStatus; 1 is "granted with modifications", which is not what was asked for


def make(snapshot: Snapshot, *, patience: float = posting.READ_SECONDS) -> tuple[bytes, str]:
    """Has the header stamped; the answer's bytes, and what they say in words. Raises AnchorFailed."""
    header, roots = bytes(snapshot.header), trusted()
    asked = (
        TimestampRequestBuilder()
        .data(header)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    try:
        answer = posting.post(settings.ANCHOR_TSA_URL, asked.as_bytes(), QUERY, REPLY, patience=patience)
    except ConnectorError as error:
        raise AnchorFailed(error.code, error.message) from None
    at = proved(answer, header, roots, asked.nonce)
    return answer, f"Stamped {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def trusted() -> Sequence[Certificate]:
    """The pinned roots. Raises AnchorFailed."""
    try:
        return load_pem_x509_certificates(Path(settings.ANCHOR_TSA_ROOT).read_bytes())
    except (OSError, ValueError):
        raise AnchorFailed("anchor-root", "The file of trusted roots for time stamps cannot be read.") from None


def proved(answer: bytes, header: bytes, roots: Sequence[Certificate], nonce: int | None = None) -> datetime:
    """When the header was stamped, as the server's signature says. Raises AnchorFailed for whatever proves nothing."""
    stamp = _decoded(answer)
    if stamp.status != GRANTED:
        raise AnchorFailed("anchor-refused", f"The time stamping server refused (status {stamp.status}).")
    verifier = VerifierBuilder(roots=list(roots), nonce=nonce).build()
    try:
        verifier.verify_message(stamp, header)
        info = stamp.tst_info
        policy, at = info.policy.dotted_string, info.gen_time
    except (VerificationError, ValueError) as error:
        raise AnchorFailed("anchor-unproved", f"The time stamp does not prove this header: {error}"[:300]) from None
    if policy not in settings.ANCHOR_TSA_POLICY:
        raise AnchorFailed("anchor-unproved", f"The time stamp was made under another policy: {policy}.")
    return at


def _decoded(answer: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(answer)
    except ValueError:
        raise AnchorFailed("anchor-unproved", "The answer is no time stamp.") from None
