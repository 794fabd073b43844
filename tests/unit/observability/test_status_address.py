"""STATUS_ADDRESS: where the page is, and what happens when that place is taken."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapter.cognito.rate_limiter import RateLimiter
from adapter.config import settings as config
from adapter.config.settings import Settings
from adapter.config.values import Address
from adapter.errors import ConfigError
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.runtime import app

LEAST = {
    "ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",
    "K_SINK": "http://events.example.com/",
}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def taken() -> Iterator[Address]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield Address("127.0.0.1", listener.getsockname()[1])


def serve(stack: ExitStack, settings: Settings) -> list[str]:
    return app._serve_status_page(stack, settings, Health(), Metrics(source="arn"), RateLimiter(10))


def test_by_default_the_page_is_on_this_machine_only() -> None:
    settings = config.load(LEAST)
    assert (settings.servers.status_address, settings.status_required) == (Address("127.0.0.1", 8081), False)
    assert settings.servers.status_show_users is False


@pytest.mark.parametrize("text", ["off", "OFF"])
def test_the_page_can_be_turned_off(text: str) -> None:
    settings = config.load(LEAST | {"STATUS_ADDRESS": text})
    assert settings.servers.status_address is None
    with ExitStack() as stack:
        assert serve(stack, settings) == []


def test_an_address_that_is_none_is_refused_with_what_is_expected() -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(LEAST | {"STATUS_ADDRESS": "8081"})
    assert caught.value.problems == ("STATUS_ADDRESS is '8081'; expected HOST:PORT such as 127.0.0.1:8081, or off",)


def test_the_log_says_where_the_page_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with ExitStack() as stack:
        assert serve(stack, config.load(LEAST | {"STATUS_ADDRESS": "127.0.0.1:0"})) == []
        (record,) = caplog.records
        assert record.getMessage().startswith("The status page is at http://127.0.0.1:")
        assert record.__dict__["action"] == "status_page"


def test_a_second_adapter_goes_without_a_page_when_the_default_port_is_taken(
    taken: Address, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = config.load(LEAST)
    settings = replace(settings, servers=replace(settings.servers, status_address=taken))
    with ExitStack() as stack:
        assert serve(stack, settings) == []
    (record,) = caplog.records
    assert record.getMessage().startswith(f"There is no status page: STATUS_ADDRESS {taken} can't be listened on (")


def test_an_address_that_somebody_gave_and_that_is_taken_is_a_mistake(taken: Address) -> None:
    settings = config.load(LEAST | {"STATUS_ADDRESS": str(taken)})
    with ExitStack() as stack:
        (problem,) = serve(stack, settings)
    assert problem.startswith(f"STATUS_ADDRESS {taken} can't be listened on (Address already in use); expected")


def test_the_image_has_no_page_unless_somebody_asks() -> None:
    assert "STATUS_ADDRESS=off" in (ROOT / "Dockerfile").read_text()
