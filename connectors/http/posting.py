"""One small question to a server that the operator chose, and its whole answer: time stamps must be asked for by POST.

It carries no token and nothing of the evidence but a digest.
"""

import time
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies

from ..spec import Busy, Unexpected
from . import authorities

CONNECT_SECONDS = 5
READ_SECONDS = 20
WHOLE_SECONDS = 60
LONGEST = 1024 * 1024  # bytes; a time stamp with its certificates has a few thousand


def post(url: str, body: bytes, sends: str, takes: str, *, patience: float = READ_SECONDS) -> bytes:
    """The body of a good answer; `sends` and `takes` are its and our media types. No redirects, no second try.

    Raises Busy (`anchor-unreachable`) when another time may be better, Unexpected (`anchor-refused`) for an answer
    that is none.
    """
    began, host = time.monotonic(), urlsplit(url).hostname
    try:
        with requests.Session() as session:
            session.trust_env = False  # no .netrc
            session.proxies, session.verify = get_environ_proxies(url), authorities() or True
            headers = {"Content-Type": sends, "Accept": takes, "User-Agent": "compliance-portal"}
            timeout = (CONNECT_SECONDS, patience)
            with session.post(
                url, body, headers=headers, timeout=timeout, allow_redirects=False, stream=True
            ) as answer:
                if answer.status_code != 200:
                    raise Unexpected("anchor-refused", f"{host} answered {answer.status_code}.")
                if answer.headers.get("Content-Type", "").split(";")[0].strip().lower() != takes:
                    raise Unexpected("anchor-refused", f"{host} answered with something that is no time stamp.")
                return _whole(answer, began)
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise Busy("anchor-unreachable", f"{host} did not answer in time.") from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Busy("anchor-unreachable", f"{host} could not be reached ({type(error).__name__}).") from None


def _whole(answer: requests.Response, began: float) -> bytes:
    body = b""
    while chunk := answer.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > LONGEST:
            raise Unexpected("anchor-refused", "The answer is larger than 1 MB.")
        if time.monotonic() - began > WHOLE_SECONDS:
            raise Busy("anchor-unreachable", "The answer took longer than a minute.")
    return body
