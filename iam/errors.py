"""Every error of `python -m iam`: one line for a person (what, on what, what to do), never with a secret in it."""

from __future__ import annotations


class IamError(Exception):
    """The root of all errors below. `exit_code` is what the command ends with."""

    exit_code = 1


class InputError(IamError):
    """Something in the command's arguments is wrong; nothing was changed."""

    exit_code = 2


class RefusedError(IamError):
    """The command would touch something that is not ours to touch; nothing was changed."""

    exit_code = 2


class KeyUnusableError(IamError):
    """A key did not become usable in time, or the secret holds none that can be used."""


class AwsError(IamError):
    """One AWS call failed.

    `action` is `service:Operation`, `resource` the ARN that it was for, `code` AWS's error code or the name of the
    transport fault, `detail` AWS's own sentence (empty where the call carries a secret).
    """

    def __init__(self, action: str, resource: str, code: str, detail: str = "") -> None:
        self.action = action
        self.resource = resource
        self.code = code
        self.detail = detail
        if self.denied:
            text = f"not permitted: {action} on {resource}; grant it to the caller and run the command again"
        else:
            text = f"{action} on {resource} failed with {code}" + (f": {detail}" if detail else "")
        super().__init__(text)

    @property
    def denied(self) -> bool:
        """Whether the caller lacks the permission."""
        return self.code in {"AccessDenied", "AccessDeniedException", "NotAuthorizedException", "UnauthorizedOperation"}

    @property
    def missing(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.code in {"NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException"}

    @property
    def exists(self) -> bool:
        """Whether what was to be made exists already."""
        return self.code in {"EntityAlreadyExists", "EntityAlreadyExistsException", "ResourceExistsException"}

    @property
    def key_refused(self) -> bool:
        """Whether AWS does not (yet) accept the key that signed the call."""
        return self.code in {
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "AuthFailure",
        }
