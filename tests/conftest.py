"""What every test shares: a clean environment, loopback only, and the emulated AWS.

A test's folder is its marker: `pytest -m unit`, `pytest -m "not deploy"`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from emulator.aws import EmulatedAws

TIERS = {
    "unit": "pure logic and small servers on loopback; no emulator",
    "docs": "the documents, their commands and their examples",
    "synth": "what the CDKTF app synthesizes",
    "emulator": "the adapter and the tools against an emulated AWS",
    "faults": "the adapter against a Cognito that misbehaves",
    "deploy": "real Terraform against an emulated AWS",
    "chaos": "processes killed at random moments",
    "fuzz": "mutated input for everything that reads some",
}
#: The marker of what only `make thorough` runs.
THOROUGH = "thorough"
_HERE = Path(__file__).resolve().parent
_SCRUBBED_PREFIXES = (
    "AWS_",
    "K_",
    "TF_",
    "OTEL_",
    "STATE_",
    "EVENTS_",
    "POLL_",
    "DELIVERY_",
    "HEALTH_",
    "METRICS_",
    "COGNITO_",
    "STATUS_",
)
_SCRUBBED = {
    *("ARN", "NAME", "NAMESPACE", "LOG_LEVEL", "MAX_RPS", "CREDENTIALS_SECRET_ARN", "SOURCE_MANIFEST"),
    *("TERRAFORM_BINARY_NAME", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY", "BOTO_CONFIG"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
}


def pytest_configure(config: pytest.Config) -> None:
    """Register one marker per tier. No example has a deadline: how busy a machine is says nothing about the code."""
    # A shell gives what it runs in the background an ignored SIGINT, which the processes of tests would inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("patient", deadline=None)
    hypothesis.settings.load_profile("patient")
    for tier, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{tier}: {meaning}")
    config.addinivalue_line("markers", f"{THOROUGH}: further combinations of what runs anyway; only with -m {THOROUGH}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its folder, let none reach anything but this machine, leave `thorough` ones out."""
    if THOROUGH not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker(THOROUGH)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
        if folder in TIERS:
            item.add_marker(getattr(pytest.mark, folder))
        if folder == "deploy":
            # On a busy machine Terraform alone takes minutes.
            item.add_marker(pytest.mark.timeout(900))
        item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine or the developer reaches a test, nor any AWS credentials."""
    for name in os.environ:
        if name.upper().startswith(_SCRUBBED_PREFIXES) or name.upper() in _SCRUBBED:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[EmulatedAws]:
    with EmulatedAws.start() as aws:
        yield aws


@pytest.fixture
def aws(_aws_server: EmulatedAws) -> EmulatedAws:
    """An empty emulated AWS: one server per test process, reset before each test."""
    _aws_server.reset()
    return _aws_server
