"""Time stamps (RFC 3161): kept only when they prove the header, proved again without a network, and by openssl."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from connectors.anchors import AnchorFailed, stamp
from connectors.http import posting
from connectors.models import Anchor, AnchorTry, Snapshot
from portal import settings as reading
from tests import stamping

from .test_anchors import anchor, cut_tail, faults, notes, two_days
from .test_verification import attack, flipped

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not stamping.OPENSSL, reason="openssl, which signs for the server of these tests, is not here"),
]
__all__ = ["two_days"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stamping.Server]:
    folder = tmp_path_factory.mktemp("stamps") / "tsa"
    stamping.authority(folder)
    with stamping.serving(folder) as running:
        yield running


@pytest.fixture
def tsa(server: stamping.Server, settings: Any) -> stamping.Server:
    server.fault = ""
    server.asked.clear()
    settings.ANCHOR_TSA_URL = f"http://127.0.0.1:{server.server_port}/"
    settings.ANCHOR_TSA_ROOT = str(server.folder / "root.pem")
    settings.ANCHOR_TSA_POLICY = [stamping.POLICY]
    return server


@pytest.fixture
def head(two_days: Any) -> Snapshot:
    return Snapshot.objects.get(seq=2)


def test_a_head_is_stamped_and_openssl_says_so_too(head: Snapshot, tsa: stamping.Server, tmp_path: Path) -> None:
    now = timezone.now()
    anchor(now)
    made = Anchor.objects.get()
    assert (made.kind, made.header_sha256) == ("rfc3161", head.header_sha256)
    assert made.detail.startswith("Stamped 20")
    assert abs(stamp.proved(bytes(made.proof), bytes(head.header), stamp.trusted()) - now) < timedelta(minutes=1)
    assert not faults()
    assert not notes()
    (tmp_path / "token.tsr").write_bytes(bytes(made.proof))
    command = ["ts", "-verify", "-in", f"{tmp_path}/token.tsr", "-CAfile", f"{tsa.folder}/root.pem", "-digest"]
    for digest, code in ((head.header_sha256, 0), ("ab" * 32, 1)):
        said = subprocess.run([stamping.OPENSSL, *command, digest], capture_output=True, check=False)
        assert said.returncode == code, said.stderr


def test_only_a_digest_leaves_the_machine(head: Snapshot, tsa: stamping.Server) -> None:
    anchor()
    [asked] = tsa.asked
    assert bytes.fromhex(head.header_sha256) in asked
    assert len(asked) < 100


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("503", "anchor-refused"),
        ("redirect", "anchor-refused"),
        ("page", "anchor-refused"),
        ("large", "anchor-refused"),
        ("refused", "anchor-refused"),
        ("garbage", "anchor-unproved"),
        ("cut", "anchor-unproved"),
        ("bent", "anchor-unproved"),
        ("nonce", "anchor-unproved"),
    ],
)
def test_a_bad_answer_is_named_and_asked_for_again(head: Snapshot, tsa: stamping.Server, fault: str, code: str) -> None:
    stamp.make(head)  # an earlier question, of which "nonce" repeats the answer
    tsa.fault = fault
    now = timezone.now()
    assert anchor(now) == [code]
    assert not Anchor.objects.exists()
    assert AnchorTry.objects.get().code == code
    tsa.fault = ""
    anchor(now + timedelta(minutes=15))
    assert Anchor.objects.get().header_sha256 == head.header_sha256


def test_a_server_that_hangs_or_is_not_there_is_asked_again(
    head: Snapshot, tsa: stamping.Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tsa.fault = "hang"
    with pytest.raises(AnchorFailed) as raised:
        stamp.make(head, patience=0.2)
    assert raised.value.code == "anchor-unreachable"
    monkeypatch.setattr(settings, "ANCHOR_TSA_URL", "http://127.0.0.1:9/")
    assert anchor() == ["anchor-unreachable"]


def test_a_server_that_drips_is_given_up(tsa: stamping.Server, head: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "WHOLE_SECONDS", -1)
    assert anchor() == ["anchor-unreachable"]


def test_another_root_another_policy_and_no_root_are_refused(
    head: Snapshot, tsa: stamping.Server, settings: Any, tmp_path: Path
) -> None:
    mine = settings.ANCHOR_TSA_ROOT
    settings.ANCHOR_TSA_ROOT = str(stamping.authority(tmp_path / "others"))
    now = timezone.now()
    assert anchor(now) == ["anchor-unproved"]
    settings.ANCHOR_TSA_ROOT, settings.ANCHOR_TSA_POLICY = mine, ["1.2.3.4.2"]
    assert anchor(now + timedelta(minutes=15)) == ["anchor-unproved"]
    assert "another policy: 1.2.3.4.1" in AnchorTry.objects.get().message
    settings.ANCHOR_TSA_ROOT = str(tmp_path / "nothing.pem")
    assert anchor(now + timedelta(minutes=30)) == ["anchor-root"]
    assert not Anchor.objects.exists()


def test_stamps_are_proved_again_by_every_verification(
    head: Snapshot, tsa: stamping.Server, settings: Any, tmp_path: Path
) -> None:
    anchor()
    settings.ANCHOR_TSA_URL = "http://127.0.0.1:9/"  # nobody is asked
    assert not faults()
    made = Anchor.objects.get()
    attack("UPDATE connectors_anchor SET proof = %s WHERE id = %s", flipped(bytes(made.proof)), made.pk)
    assert len(faults()) == 1
    attack("UPDATE connectors_anchor SET proof = %s WHERE id = %s", bytes(made.proof), made.pk)
    assert not faults()
    settings.ANCHOR_TSA_ROOT = ""
    assert not faults()
    assert "not proved again" in notes()[0]


def test_a_stamp_is_beyond_a_chain_that_was_cut(head: Snapshot, tsa: stamping.Server) -> None:
    anchor()
    cut_tail()
    assert "it was cut" in faults()[0]


def test_no_damage_to_a_stamp_brings_a_verification_down(head: Snapshot, tsa: stamping.Server) -> None:
    """Every place of an answer bent, and cut there: a named refusal, or what is not covered by the signature."""
    answer, _ = stamp.make(head)
    roots, header = stamp.trusted(), bytes(head.header)
    refused = 0
    for at in range(0, len(answer), 7):
        for damaged in (answer[:at], answer[:at] + bytes([answer[at] ^ 0x11]) + answer[at + 1 :]):
            try:
                stamp.proved(damaged, header, roots)
            except AnchorFailed:
                refused += 1
    assert refused > len(answer) // 7


@pytest.mark.parametrize(
    "wrong",
    [
        ("ftp://tsa.example.com", "/root.pem", ["1.2.3"]),
        ("https://me@tsa.example.com", "/root.pem", ["1.2.3"]),
        ("https://tsa.example.com", "", ["1.2.3"]),
        ("https://tsa.example.com", "/root.pem", []),
        ("https://tsa.example.com", "root.pem", ["1.2.3"]),
        ("https://tsa.example.com", "/root.pem", ["any"]),
    ],
)
def test_half_a_setting_stops_the_start(wrong: tuple[str, str, list[str]]) -> None:
    with pytest.raises(ImproperlyConfigured, match="ANCHOR_TSA_"):
        reading._stamping(*wrong)
    reading._stamping("http://tsa.example.com/", "/etc/root.pem", ["1.2.3.4.1"])
