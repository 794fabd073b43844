"""Credentials that can't be used, as they are in organisations: one line each, with what helps, and no traceback."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SSO_SESSION = "sso_start_url = https://example.awsapps.com/start\nsso_region = eu-central-1\n"
SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = Admin\n"
SSO = SSO_SESSION + SSO_ROLE
ROLE = "role_arn = arn:aws:iam::123456789012:role/ops\n"
KEYS = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = 0123456789012345678901234567890123456789\n"


class Refusing(ThreadingHTTPServer):
    """A server that refuses every request as AWS does, with one code and sentence, and counts them."""

    daemon_threads = True

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.code = code
        self.sentence = sentence
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Refusal(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        error = f"<Code>{self.server.code}</Code><Message>{self.server.sentence}</Message>"
        body = f"<ErrorResponse><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>".encode()
        self.send_response(403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def refusing(code: str, sentence: str = "") -> Iterator[Refusing]:
    server = Refusing(code, sentence)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(folder: Path, config: str, *more: str, url: str = "", text: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m iam status` with this AWS configuration, no variables and no terminal."""
    (folder / "config").write_text(config)
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "eu-central-1",
    }
    if url:
        environment["AWS_ENDPOINT_URL"] = url
    return subprocess.run(
        [sys.executable, "-m", "iam", "status", *more],
        cwd=ROOT,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,  # no terminal, as under cron
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode in (1, 2), done
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("config", "arguments", "command"),
    [
        (f"[profile work]\n{SSO}", ["--profile", "work"], "aws sso login --profile work`"),
        (f"[default]\n{SSO}", [], "aws sso login`"),
        (
            f"[sso-session corp]\n{SSO_SESSION}[profile work]\nsso_session = corp\n{SSO_ROLE}",
            ["--profile", "work"],
            "aws sso login --profile work`",
        ),
        (
            f"[profile base]\n{SSO}[profile ops]\n{ROLE}source_profile = base\n",
            ["--profile", "ops"],
            "aws sso login --profile base`",
        ),
    ],
)
def test_a_sign_in_that_has_expired_names_the_command_that_renews_it(
    tmp_path: Path, config: str, arguments: list[str], command: str
) -> None:
    assert command in one_line(status(tmp_path, config, *arguments))


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ("", [], "no AWS credentials were found"),
        ("", ["--profile", "nobody"], "there is no profile nobody in the AWS configuration"),
        ("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n", [], "one half of the AWS credentials is missing"),
        (f"[profile a]\n{ROLE}source_profile = b\n", ["--profile", "a"], 'The source_profile "b"'),
        ("[profile a]\ncredential_process = /bin/false\n", ["--profile", "a"], "the source of credentials"),
        ("this is no configuration", [], "Unable to parse config file"),
    ],
)
def test_a_configuration_without_usable_credentials_is_one_line(
    tmp_path: Path, config: str, arguments: list[str], message: str
) -> None:
    assert message in one_line(status(tmp_path, config, *arguments))


def test_an_mfa_code_is_not_taken_from_standard_input(tmp_path: Path) -> None:
    config = f"[profile ops]\n{ROLE}source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"
    config += f"[profile base]\n{KEYS}"
    with refusing("AccessDenied") as server:
        done = status(tmp_path, config, "--profile", "ops", url=server.url, text="123456\n")
        assert "the profile asks for an MFA code, and there is no terminal to ask on" in one_line(done)
        assert server.asked == 0


def test_a_role_that_can_not_be_taken_is_not_told_as_a_missing_permission_of_the_command(tmp_path: Path) -> None:
    config = f"[profile ops]\n{ROLE}source_profile = base\n[profile base]\n{KEYS}"
    said = "User: me is not authorized to perform: sts:AssumeRole because no role trust policy allows the action"
    with refusing("AccessDenied", said) as server:
        line = one_line(status(tmp_path, config, "--profile", "ops", url=server.url))
    assert "the credentials of the profile ops could not be obtained: sts:AssumeRole failed" in line
    assert "no role trust policy allows it" in line
    assert "not permitted: iam:" not in line


@pytest.mark.parametrize(
    ("code", "sentence", "message"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "the credentials have expired"),
        ("InvalidClientTokenId", "The security token is invalid.", "AWS does not accept the access key"),
        ("SignatureDoesNotMatch", "The request signature does not match", "does not belong to its access key id"),
        ("SignatureDoesNotMatch", "Signature expired: 20261128T is now earlier than 20261129T", "set the clock"),
        ("RequestExpired", "Request has expired", "set the clock"),
        (
            "AccessDenied",
            "User: me is not authorized to perform: iam:ListUsers with an explicit deny in a service control policy",
            "not permitted: iam:ListUsers on *: explicit deny in a service control policy; ask the administrators",
        ),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_one_line_with_what_helps(tmp_path: Path, code: str, sentence: str, message: str) -> None:
    with refusing(code, sentence) as server:
        assert message in one_line(status(tmp_path, f"[default]\n{KEYS}", url=server.url))
