"""Probes and their server."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from adapter.config.values import Address
from adapter.observability.health import Health, HealthServer


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    with HealthServer(health, Address("127.0.0.1", 0), lambda: {"users": 3}) as running:
        yield running


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_health_is_503_then_204_for_any_method(health: Health, server: HealthServer, method: str) -> None:
    assert ask(server, "/health", method) == (503, None)
    health.polled()
    health.problem("cognito", "throttled")
    assert ask(server, "/health", method) == (204, None)


def test_ready_says_why_not(health: Health, server: HealthServer) -> None:
    health.problem("sink", "it is down")
    assert ask(server, "/ready") == (503, {"reasons": ["no successful poll yet", "sink: it is down"]})
    health.polled()
    health.well("sink")
    assert ask(server, "/ready") == (204, None)


def test_live_is_about_the_process_alone(health: Health, server: HealthServer) -> None:
    health.problem("cognito", "the key is refused")
    assert ask(server, "/live") == (204, None)


def test_status_has_the_numbers_and_the_reasons(health: Health, server: HealthServer) -> None:
    assert ask(server, "/status") == (200, {"dead": [], "unready": ["no successful poll yet"], "users": 3})


@pytest.mark.parametrize("path", ["/", "/healthz", "/health/", "/HEALTH"])
def test_other_paths_are_404(server: HealthServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_a_query_does_not_matter(health: Health, server: HealthServer) -> None:
    health.polled()
    assert ask(server, "/health?x=1")[0] == 204


def test_nonsense_on_the_wire_does_not_stop_the_server(health: Health, server: HealthServer) -> None:
    for nonsense in (b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET\r\n", b"x" * 70_000 + b"\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65_536):
                    pass
            except ConnectionResetError:
                pass
    assert ask(server, "/live")[0] == 204


def test_a_taken_port_is_an_error_at_once(server: HealthServer, health: Health) -> None:
    with pytest.raises(OSError, match="in use"):
        HealthServer(health, Address("127.0.0.1", server.port))
