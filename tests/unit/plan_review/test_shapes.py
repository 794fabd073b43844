"""What looks like a secret, and what only points to one."""

from __future__ import annotations

import pytest

from plan_review.plan.leaks import Surroundings, is_secret_name, redact, suspicion
from plan_review.plan.values import Value

HEX = "0123456789abcdef"
WORD = "a1B2c3D4e5F6g7H8i9J0"


@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + WORD * 3,
        "glpat-" + WORD,
        "xoxb-123456789012-abcdef",
        "xapp-1-A0123456789-" + WORD,
        "sk_live_" + WORD,
        "whsec_" + WORD * 2,
        "AIza" + "a1B2c" * 7,
        "GOCSPX-" + "a1B2" * 7,
        "sk-proj-" + WORD * 2,
        "sk-ant-api03-" + WORD * 2,
        "hf_" + "aBcDeF" * 6,
        "npm_" + "a1B2" * 9,
        "SG." + WORD + "." + WORD,
        "SK" + HEX * 2,
        "key-" + HEX * 2,
        HEX * 2 + "-us12",
        "shpat_" + HEX * 2,
        "dop_v1_" + HEX * 4,
        "dapi" + HEX * 2,
        "hvs." + WORD * 2,
        "a1B2c3D4e5F6g7.atlasv1." + WORD * 3,
        "glsa_" + WORD * 2,
        "dckr_pat_" + WORD * 2,
        "123456789:AA" + "a1B2c3D4e5F" * 3,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl",
        "postgres://app:hunter2@db:5432/x",
        "postgres://app:pa$$w0rd/x@db/x",
        "redis://:hunter2@cache:6379",
        "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
        "https://discord.com/api/webhooks/123456789/" + WORD,
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + HEX * 4,
        "Authorization: Bearer " + WORD,
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + WORD * 4,
        "Server=tcp:db,1433;User ID=sa;Password=hunter2;Encrypt=true",
        "export DB_PASSWORD=hunter2",
        "PGPASSWORD=hunter2 psql -h db",
        "export SECRET_KEY_BASE=x\nAPI_TOKEN='hunter2'",
        'db:\n  password: "hunter two"\n',
        "mysql -uroot -phunter2 -h db",
        "mysqldump --password=hunter2 db",
        "vault login --token s3cret99",
        "curl -s -u admin:hunter2 https://example.com",
        "sshpass -p hunter2 ssh host",
        "docker login -u ci -p hunter2 registry.example.com",
        "prefix-ghp_" + "a1B2" * 9,
        "KEY=ghp_" + "a1B2" * 9,
    ],
)
def test_what_looks_like_a_secret_wherever_it_stands(value: str) -> None:
    assert suspicion(value, "anything")
    assert suspicion(f"a line\n{value}", "anything")


@pytest.mark.parametrize(
    ("value", "name", "environment"),
    [
        ("hunter2", "password", False),
        ("hunter2", "dbPassword", False),
        ("hunter2", "DBPassword", False),
        ("hunter2", "/app/db/password", False),
        ("hunter2", "adminpassword", False),
        ("hunter2", "API-KEY", False),
        ("hunter2", "ADMIN_PW", False),
        ("12345", "PIN_SECRET", False),
        ("/abcDEF123", "DB_PASSWORD", False),
        ("q8ZtV2mX9LpKc4RwYb7NsD3f", "X", True),
        (HEX * 2, "TWILIO_AUTH", True),
    ],
)
def test_what_looks_like_a_secret_in_its_place(value: str, name: str, environment: bool) -> None:
    assert suspicion(value, name, around=Surroundings.ENVIRONMENT if environment else Surroundings.PLAIN)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:x", "CREDENTIALS_SECRET_ARN"),
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:x", "password"),
        ("/oidc/token", "DELIVERY_TOKEN_FILE"),
        ("/run/secrets/token", "token"),
        ("/db/password", "password"),
        ("${aws_secretsmanager_secret.key.arn}", "secret"),
        ("true", "password"),
        ("OPTIONAL", "token"),
        ("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI", "ARN"),
        ("eu-central-1_AbCdEfGhI", "POOL"),
        ("https://sink.example.com/users?x=1", "K_SINK"),
        ("https://example.com:8443/path@2x.png", "URL"),
        ("https://github.com/org/repo.git?ref=v1", "SOURCE"),
        ("git@github.com:org/repo.git", "SOURCE"),
        ("postgres://app:${var.password}@db/x", "URL"),
        ("postgres://app:$DB_PASSWORD@db/x", "URL"),
        ("postgres://app:<password>@db/x", "URL"),
        ("postgres://{{user}}:{{password}}@db/x", "URL"),
        ("dynamodb://cognito-source-state?region=eu-central-1", "STATE_URL"),
        ("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "IMAGE"),
        ("-----BEGIN CERTIFICATE-----\nMIIE", "K_CA_CERTS"),
        ("-----BEGIN PUBLIC KEY-----\nMIIE", "KEY"),
        ("awscognitousersource", "K_COMPONENT"),
        ("secretsmanager:GetSecretValue", "Action"),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", "KMS_KEY"),
        ("export DB_PASSWORD=$(aws ssm get-parameter --name /db/password)", "user_data"),
        ("export DB_PASSWORD=${DB_PASSWORD}", "user_data"),
        ('docker login --password "$TOKEN"', "command"),
        ("curl --user $USER:$PASSWORD https://example.com", "command"),
        ("The password must be at least 8 characters.", "description"),
        ("Rotates the secret: see the runbook", "description"),
        ("Token: optional", "description"),
        ("password = required", "description"),
        ("Allows the token service to read keys", "description"),
        ("key-pair-for-the-bastion-host-of-production", "name"),
        ("secret-reader-role-for-the-payment-service", "name"),
        ("list-of-all-the-things-that-are-public", "name"),
        ("mysql -uroot -h db -P 3306 app", "command"),
        ("tar -xf archive.tar -p", "command"),
    ],
)
def test_what_only_points_to_a_secret_is_none(value: str, name: str) -> None:
    assert suspicion(value, name, around=Surroundings.ENVIRONMENT) == ""


@pytest.mark.parametrize(
    "name",
    ["kms_key_id", "public_key", "hash_key", "key_name", "secret_arn", "token_endpoint", "password_length", "bypass"],
)
def test_names_that_only_sound_like_a_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["id", "user_id", "access_key_id", "AccessKeyId"])
def test_the_id_of_an_access_key_is_an_identifier_where_it_is_called_one(name: str) -> None:
    value = "AKIAIOSFODNN7EXAMPLE"
    assert suspicion(value, name) == ""
    assert suspicion(value, name, around=Surroundings.ENVIRONMENT)
    assert suspicion(value, "access_key")


def test_a_tag_names_secrets_and_seldom_holds_one() -> None:
    tags: dict[str, Value] = {"app:secret": "app/prod/api", "Token": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"}
    _, leaks = redact({"tags": tags, "secret": "app/prod/api"})
    assert [leak.path for leak in leaks] == ["tags.Token", "secret"]
