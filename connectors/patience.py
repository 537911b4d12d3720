"""Waiting for one answer without falling silent."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

LOOK_UP_SECONDS = 0.25
T = TypeVar("T")


def patiently(work: Callable[[], T], beat: Callable[[], object]) -> T:
    """What `work` gives, or raises. It is done in a thread of its own, and `beat` is called four times a second
    meanwhile; what that raises ends the wait. `work` may be left behind, so it must not touch the database."""
    answer: Future[T] = Future()

    def do() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whoever waits raises it again
            answer.set_exception(error)

    Thread(target=do, name="patience", daemon=True).start()
    while not wait([answer], LOOK_UP_SECONDS).done:
        beat()
    return answer.result()
