"""A short version of `python -m tests.kills`: worker processes that are killed, on the database of these tests."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection as database

from tests.portals import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="waits for processes by pidfd")
def test_workers_that_are_killed_leave_what_a_clean_run_leaves() -> None:
    url = os.environ.get("DATABASE_URL", "") if database.vendor == "postgresql" else ""
    command = [sys.executable, "-m", "tests.kills", "--times", "6", "--size", "small", "--seed", "7", "--spread"]
    done = subprocess.run(
        [*command, "--groups", "workspace,data-flow,tracking-plans,privacy,warehouse-syncs"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["failures"] == []
    assert said["rounds"] == 6
    assert said["kills"] >= 6, "one in each round, and what chance adds"
    assert len(said["phases"]) >= 4
