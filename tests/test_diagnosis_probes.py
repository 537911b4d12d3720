"""The way to a service, tried on real sockets: names, ports, proxies and certificates."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.http import Client, probes
from connectors.segment import connector
from connectors.spec import ConnectorError
from tests.hosts import Papers, Proxy, closed_port, listening, papers, tls

PASSWORD = "proxy-password-canary"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no authorities from the environment of whoever runs the tests."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def port(held: Papers) -> Iterator[int]:
    with listening(tls(held)) as number:
        yield number


@pytest.fixture
def trusted(held: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(held.file))


def code(error: pytest.ExceptionInfo[ConnectorError]) -> str:
    return error.value.code


# --- names ------------------------------------------------------------------------------------------------


def test_a_name_has_addresses() -> None:
    assert set(probes.resolve("localhost")) <= {"127.0.0.1", "::1"}
    assert [probes.is_address(host) for host in ("127.0.0.1", "::1", "localhost")] == [True, True, False]


@pytest.mark.parametrize("host", ["nothing.invalid", "a" * 64 + ".invalid", "a..invalid"])
def test_a_name_that_does_not_exist_says_so(host: str) -> None:
    with pytest.raises(ConnectorError) as error:
        probes.resolve(host)
    assert code(error) == "name-not-resolved"
    assert host in error.value.message


def test_a_resolver_that_says_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: never.wait(5))
    with pytest.raises(ConnectorError) as error:
        probes.resolve("slow.invalid", seconds=0.01)
    never.set()
    assert code(error) == "name-not-resolved"
    assert "No resolver answered" in error.value.message


# --- ports ------------------------------------------------------------------------------------------------


def test_an_open_port_is_reached_and_a_closed_one_is_not(port: int) -> None:
    assert probes.reach(f"https://127.0.0.1:{port}") < 1000
    with pytest.raises(ConnectorError) as error:
        probes.reach(f"https://127.0.0.1:{closed_port()}")
    assert code(error) == "unreachable"
    assert "connection refused" in error.value.message


def test_the_client_tells_a_missing_name_and_missing_authorities_from_a_closed_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(origin: str) -> str:
        client = Client(connector, origin, "a-token-of-no-service", tries=1)
        with pytest.raises(ConnectorError) as error:
            client.get("/")
        client.close()
        return code(error)

    assert asked("https://nothing.invalid") == "name-not-resolved"
    assert asked(f"http://127.0.0.1:{closed_port()}") == "unreachable"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all.pem")
    assert asked("https://nothing.invalid") == "ca-bundle"


# --- certificates -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("trusted")
def test_a_handshake_tells_version_issuer_names_and_end(port: int, held: Papers) -> None:
    found = probes.handshake(f"https://127.0.0.1:{port}")
    assert found.version == "TLSv1.3"
    assert found.issuer == "Acme Proxies, Acme Root"
    assert found.names == ("localhost", "127.0.0.1")
    assert found.expires == held.expires


def test_a_certificate_of_nobody_that_is_trusted_is_named_by_its_issuer(port: int) -> None:
    with pytest.raises(ConnectorError) as error:
        probes.handshake(f"https://127.0.0.1:{port}")
    assert code(error) == "tls"
    assert "self-signed certificate" in error.value.message
    assert "CN=Acme Root" in error.value.message


def test_an_expired_certificate_and_a_wrong_name_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kept, words in (
        (papers(tmp_path, days=-3), "certificate has expired"),
        (papers(tmp_path, days=5, names=("other.example",)), "mismatch"),
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(kept.file))
        with listening(tls(kept)) as number, pytest.raises(ConnectorError) as error:
            probes.handshake(f"https://127.0.0.1:{number}")
        assert code(error) == "tls"
        assert words in error.value.message


def test_a_port_that_speaks_no_tls_is_told() -> None:
    talk = b"HTTP/1.1 400 Bad\r\n\r\n"
    with listening(lambda taken: taken.sendall(talk)) as number, pytest.raises(ConnectorError) as error:
        probes.handshake(f"https://127.0.0.1:{number}")
    assert code(error) == "tls"
    assert "agree on no TLS" in error.value.message


def test_authorities_that_are_not_there_are_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/at/all.pem")
    with pytest.raises(ConnectorError) as error:
        probes.handshake(f"https://127.0.0.1:{port}")
    assert code(error) == "ca-bundle"


# --- proxies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["http://robin:{}@127.0.0.1:{}", "robin:{}@127.0.0.1:{}/"])
@pytest.mark.usefixtures("trusted")
def test_a_proxy_is_asked_to_connect_with_its_credentials_which_nobody_sees(
    port: int, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(to=port)
    with listening(proxy) as number:
        monkeypatch.setenv("HTTPS_PROXY", given.format(PASSWORD, number))
        way = probes.route("https://localhost")
        assert way.proxy == f"http://127.0.0.1:{number}"
        assert way.nearest == "127.0.0.1"
        assert PASSWORD not in repr(way)
        assert probes.reach("https://localhost") < 1000
        assert probes.handshake("https://localhost").issuer == "Acme Proxies, Acme Root"
    assert [head.split(" HTTP")[0] for head in proxy.heads] == ["CONNECT localhost:443"] * 2
    assert all("proxy-authorization: basic" in head.lower() for head in proxy.heads)


def test_no_proxy_lets_a_host_go_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert probes.route("https://api.example").proxy == "http://proxy.invalid:3128"
    monkeypatch.setenv("NO_PROXY", "api.example")
    assert probes.route("https://api.example").proxy == ""


@pytest.mark.parametrize(("status", "words"), [("407", "other credentials"), ("403", "does not let this host")])
def test_a_proxy_that_refuses_is_told_with_its_answer(status: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(Proxy(refuses=status)) as number:
        monkeypatch.setenv("HTTPS_PROXY", f"http://robin:{PASSWORD}@127.0.0.1:{number}")
        for probe in (probes.reach, probes.handshake):
            with pytest.raises(ConnectorError) as error:
                probe("https://localhost")
            assert code(error) == "proxy"
            assert status in error.value.message
            assert words in error.value.message
            assert PASSWORD not in str(error.getrepr(style="short"))


@pytest.mark.parametrize("given", ["http://proxy.invalid:3128", "http://127.0.0.1:{}", "socks5://127.0.0.1:{}"])
def test_a_proxy_that_is_not_there_is_told(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", given.format(closed_port()))
    with pytest.raises(ConnectorError) as error:
        probes.reach("https://localhost")
    assert code(error) == "proxy"


def test_a_proxy_with_a_certificate_of_its_own_is_found_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's proxy that opens TLS: the connection stands, and the certificate names who made it."""
    with listening(Proxy(to=port)) as number:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{number}")
        assert probes.reach("https://localhost") < 1000
        with pytest.raises(ConnectorError) as error:
            probes.handshake("https://localhost")
    assert code(error) == "tls"
    assert "CN=Acme Root" in error.value.message


def test_the_server_of_these_tests_speaks_tls(port: int, held: Papers) -> None:
    """Otherwise the tests above could pass for a wrong reason."""
    context = ssl.create_default_context(cafile=str(held.file))
    opened = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(opened, server_hostname="localhost") as spoken:
        assert spoken.version() == "TLSv1.3"
