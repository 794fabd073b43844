"""The emulated AWS itself: what the other tests rely on, beyond stock moto."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.aws import EmulatedAws
from tests.support import wait_until


def _user_with(aws: EmulatedAws, *statements: dict[str, Any]) -> dict[str, str]:
    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key: dict[str, str] = iam.create_access_key(UserName="reader")["AccessKey"]
    return key


def _list_users(arn: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": arn}


def _code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_a_policy_on_one_pool_opens_that_pool_only(aws: EmulatedAws) -> None:
    arn, other = aws.create_pool("ours"), aws.create_pool("theirs")
    key = _user_with(aws, _list_users(arn))
    aws.enforce_iam(on=True)
    client = aws.client_with("cognito-idp", key["AccessKeyId"], key["SecretAccessKey"])

    assert client.list_users(UserPoolId=arn.split("/")[1])["Users"] == []
    assert _code(client.list_users, UserPoolId=other.split("/")[1]) == "AccessDeniedException"
    assert _code(client.describe_user_pool, UserPoolId=arn.split("/")[1]) == "AccessDeniedException"


def test_an_inactive_an_unknown_and_a_wrong_key_are_refused_as_aws_does(aws: EmulatedAws) -> None:
    pool = aws.create_pool()
    key = _user_with(aws, _list_users(pool))
    pool_id = pool.split("/")[1]
    aws.enforce_iam(on=True)

    wrong = aws.client_with("cognito-idp", key["AccessKeyId"], "x" * 40)
    assert _code(wrong.list_users, UserPoolId=pool_id) == "InvalidSignatureException"
    unknown = aws.client_with("cognito-idp", "AKIA" + "Z" * 16, "x" * 40)
    assert _code(unknown.list_users, UserPoolId=pool_id) == "UnrecognizedClientException"
    aws.client("iam").update_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    right = aws.client_with("cognito-idp", key["AccessKeyId"], key["SecretAccessKey"])
    assert _code(right.list_users, UserPoolId=pool_id) == "UnrecognizedClientException"


def test_a_reset_forgets_everything_and_allows_everything(aws: EmulatedAws) -> None:
    aws.create_pool()
    aws.enforce_iam(on=True)
    aws.reset()

    anybody = aws.client_with("cognito-idp", "AKIA" + "Z" * 16, "x" * 40)
    assert anybody.list_user_pools(MaxResults=10)["UserPools"] == []


def test_concurrent_conditional_updates_lose_nothing(aws: EmulatedAws) -> None:
    db = aws.client("dynamodb")
    db.create_table(
        TableName="counters",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    db.put_item(TableName="counters", Item={"pk": {"S": "a"}, "n": {"N": "0"}})

    def add(times: int) -> None:
        for _ in range(times):
            db.update_item(
                TableName="counters",
                Key={"pk": {"S": "a"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    threads = [threading.Thread(target=add, args=(15,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.get_item(TableName="counters", Key={"pk": {"S": "a"}})["Item"]["n"] == {"N": "60"}


def test_the_server_ends_when_its_parent_is_killed() -> None:
    program = (
        "import os, signal, sys\n"
        "from emulator.aws import EmulatedAws\n"
        "with EmulatedAws.start() as aws:\n"
        "    print(aws.process_id, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=150)
    assert parent.returncode == -signal.SIGKILL
    server = int(parent.stdout)

    wait_until(lambda: not _alive(server), timeout_s=60, what="the server's end")


def _alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
