"""What stock moto gets wrong, mended before its server starts.

Imported only in the emulator's own process (`python -m emulator.aws`). Each rule says which behaviour of AWS it
restores. It proves our policies against these rules, not against AWS's own evaluator.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from typing import Any

from joserfc.jwk import RSAKey
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core import authorization, responses, utils
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.responses import DynamoHandler
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.events.responses import EventsHandler
from moto.iam import access_control
from moto.iam import models as iam_models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.utilities.utils import get_partition

from emulator import simulation as emulator_simulation

#: The key that stands for the account's administrator: never checked, so that tests and Terraform can always prepare.
ADMIN_KEY_ID = "AKIAADMINISTRATOR000"

#: Requests of the AWS JSON protocol. The others get errors as XML, which moto already does right.
_JSON_PROTOCOL = "application/x-amz-json"


class _RefusedError(JsonRESTError):
    """A refusal as the services of the JSON protocol send it: status 400, the code in `__type`."""

    code = 400


class _Request(access_control.IAMRequest):
    """Checks one signed request as AWS does: the key's state, the signature, then the policies."""

    def __init__(self, *, resource: str, **parts: Any) -> None:
        self._resource = resource
        self._speaks_json = parts["headers"].get("Content-Type", "").startswith(_JSON_PROTOCOL)
        super().__init__(**parts)
        self._refuse_inactive_keys()

    def _refuse_inactive_keys(self) -> None:
        key_id = self._access_key.create_credentials().access_key
        for user in self.backend.list_users("/", None, None):
            for key in user.access_keys:
                if key.access_key_id == key_id and key.status != "Active":
                    self._raise_invalid_access_key("Inactive")

    def _raise_invalid_access_key(self, reason: str) -> None:
        if not self._speaks_json:
            super()._raise_invalid_access_key(reason)
        raise _RefusedError("UnrecognizedClientException", "The security token included in the request is invalid.")

    def _raise_signature_does_not_match(self) -> None:
        if not self._speaks_json:
            super()._raise_signature_does_not_match()
        raise _RefusedError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )

    def _raise_access_denied(self) -> None:
        if not self._speaks_json:
            super()._raise_access_denied()
        raise _RefusedError(
            "AccessDeniedException",
            f"User: {self._access_key.arn} is not authorized to perform: {self._action} on resource: {self._resource} "
            f"because no identity-based policy allows the {self._action} action",
        )


def _authorize(self: Any, iam_request_cls: type, resource: str = "*") -> None:
    """Stands in for ActionAuthenticatorMixin._authenticate_and_authorize_action."""
    if self.get_access_key() == ADMIN_KEY_ID:
        return
    if not issubclass(iam_request_cls, access_control.IAMRequest):
        _stock_authorize(self, iam_request_cls, resource)
        return

    checked: Any = functools.partial(_Request, resource=resource)
    _stock_authorize(self, checked, resource)


_stock_authorize = authorization.ActionAuthenticatorMixin._authenticate_and_authorize_action  # noqa: SLF001 (the seam)


def _arn(response: Any, service: str, resource: str) -> str:
    return f"arn:{get_partition(response.region)}:{service}:{response.region}:{response.current_account}:{resource}"


def _body(response: Any) -> dict[str, Any]:
    try:
        body = json.loads(response.raw_body or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _pool(self: Any) -> str:
    pool_id = _body(self).get("UserPoolId")
    return _arn(self, "cognito-idp", f"userpool/{pool_id}") if isinstance(pool_id, str) else "*"


def _table(self: Any) -> str:
    body = _body(self)
    names = [body.get("TableName"), *(body.get("RequestItems") or {})]
    for item in body.get("TransactItems") or []:
        names += [action.get("TableName") for action in item.values()]
    found = {name for name in names if isinstance(name, str)}
    return _arn(self, "dynamodb", f"table/{found.pop()}") if len(found) == 1 else "*"


def _secret(self: Any) -> str:
    secret_id = _body(self).get("SecretId")
    if not isinstance(secret_id, str):
        return "*"
    secrets = secretsmanager_backends[self.current_account][self.region].secrets.values()
    known = next((secret.arn for secret in secrets if secret_id in (secret.name, secret.arn)), None)
    return known or (secret_id if secret_id.startswith("arn:") else _arn(self, "secretsmanager", f"secret:{secret_id}"))


def _event_bus(self: Any) -> str:
    names = {entry.get("EventBusName") or "default" for entry in _body(self).get("Entries") or []}
    if len(names) != 1:
        return "*"
    name = names.pop()
    return name if name.startswith("arn:") else _arn(self, "events", f"event-bus/{name}")


def _one_at_a_time(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    lock = threading.RLock()

    def locked(self: Any) -> Any:
        with lock:
            return call(self)

    return locked


def _remember_deployment(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """ECS tells what a service was created with; moto forgets these two, so that every plan wants to set them again."""

    def create_service(self: Any) -> Any:
        answer = create(self)
        service = answer.result["service"]
        service.enable_ecs_managed_tags = self._get_param("enableECSManagedTags", if_none=False)
        service.deployment_configuration = self._get_param("deploymentConfiguration")
        return answer

    return create_service


def _delete_access_key(self: Any, access_key_id: str) -> None:
    """Take a key out of a copy: a request that looks through the list meanwhile must not miss the key behind it."""
    gone = self.get_access_key_by_id(access_key_id)
    self.access_keys = [key for key in self.access_keys if key is not gone]


def apply() -> None:
    """Put all rules in force, once per process."""
    # IAM: AWS evaluates a policy's Resource against the ARN that the request names; moto uses "*" for these services.
    _replace(CognitoIdpResponse, "_determine_resource", _pool)
    _replace(DynamoHandler, "_determine_resource", _table)
    _replace(SecretsManagerResponse, "_determine_resource", _secret)
    _replace(EventsHandler, "_determine_resource", _event_bus)
    _replace(authorization.ActionAuthenticatorMixin, "_authenticate_and_authorize_action", _authorize)
    # Of AWS's 1,400 managed policies, keep those of ECS: loading all takes a second at every reset.
    policies = json.loads(aws_managed_policies_data)
    ours = json.dumps({name: policy for name, policy in policies.items() if "AmazonECS" in name})
    _replace(iam_models, "aws_managed_policies_data", ours)
    create = EC2ContainerServiceResponse.create_service
    _replace(EC2ContainerServiceResponse, "create_service", _remember_deployment(create))
    # IAM: while one key is deleted, the user's other key goes on working.
    _replace(iam_models.User, "delete_access_key", _delete_access_key)
    # IAM: what a caller may do can be asked beforehand.
    emulator_simulation.apply()
    _cache_what_never_changes()
    # DynamoDB: conditional updates are atomic; moto's threads read and write a row without a lock.
    _replace(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action))


def _cache_what_never_changes() -> None:
    """Spare each request a look through moto's folders, its patterns and all methods of a class: half of its time."""
    find = DomainDispatcherApplication.get_backend_for_host
    _replace(DomainDispatcherApplication, "get_backend_for_host", functools.lru_cache(maxsize=1000)(find))
    _replace(responses, "method_names_from_class", functools.cache(utils.method_names_from_class))
    # Every pool signs tokens with moto's one RSA key, and reading it takes 0.2 s.
    read = RSAKey.import_key

    @functools.cache
    def key(text: str) -> Any:
        return read(json.loads(text))

    _replace(RSAKey, "import_key", staticmethod(lambda value: key(json.dumps(value))))


def _replace(owner: Any, name: str, value: Any) -> None:
    if name != "_determine_resource" and not hasattr(owner, name):
        raise AttributeError(f"moto no longer has {owner.__name__}.{name}: look at emulator/rules.py")
    setattr(owner, name, value)
