"""Where the key comes from when something else answers in the place of Secrets Manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.config import settings as config
from adapter.errors import CredentialsError
from adapter.runtime.credentials import PoolCredentials
from tests.support.sink_server import ScriptedResponse, sink_server

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x-AbCdEf"


@pytest.mark.parametrize(
    "body",
    [b"<html>canary</html>", b"", b"null", b"[]", b"{}", b'{"SecretString":null}', b'{"SecretString":["canary"]}'],
)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_not_the_secret_is_a_fault_that_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, body: bytes
) -> None:
    role = tmp_path / "credentials"  # the task's own: the environment's key is that of the pool
    role.write_text("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = example\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(role))
    settings = config.load({"ARN": ARN, "K_SINK": "stdout:", "CREDENTIALS_SECRET_ARN": SECRET})
    with sink_server() as server:
        server.default = ScriptedResponse(
            status=status, body=body, headers={"content-type": "application/x-amz-json-1.1"}
        )
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url.removesuffix("/events"))
        with pytest.raises(CredentialsError) as caught:
            PoolCredentials(settings)()
    assert "canary" not in str(caught.value)
    assert str(caught.value).startswith(f"the secret {SECRET} ")
