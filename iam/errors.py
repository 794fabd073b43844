"""Every error of `python -m iam`: one line for a person (what, on what, what to do), never with a secret in it."""

from __future__ import annotations

from iam.denial import Denial


class IamError(Exception):
    """The root of all errors below. `exit_code` is what the command ends with."""

    exit_code = 1


class InputError(IamError):
    """Something in the command's arguments is wrong; nothing was changed."""

    exit_code = 2


class RefusedError(IamError):
    """The command would touch something that is not ours to touch; nothing was changed."""

    exit_code = 2


class ConflictError(IamError):
    """Something changed under our hands: another run, or a person, is at work on the same user."""


class KeyUnusableError(IamError):
    """A key did not become usable in time, or the secret holds none that can be used."""


class AwsError(IamError):
    """One AWS call failed.

    `action` is `service:Operation`, `resource` the ARN that it was for, `code` AWS's error code or the name of the
    transport fault, `detail` AWS's own sentence (empty where the call carries a secret), `denial` what that sentence
    says about the reason, `credentials` what is wrong with the caller's own credentials (empty: nothing).
    """

    def __init__(
        self,
        action: str,
        resource: str,
        code: str,
        detail: str = "",
        denial: Denial | None = None,
        credentials: str = "",
    ) -> None:
        self.action = action
        self.resource = resource
        self.code = code
        self.detail = detail
        self.denial = denial
        self.credentials = credentials
        super().__init__(self._text())

    @property
    def reason(self) -> str:
        """The code, and the cause where AWS told one: short, for the middle of a sentence."""
        return f"{self.code} ({self.denial.cause})" if self.denial else self.code

    def _text(self) -> str:
        if self.credentials:
            return f"{self.credentials} ({self.action}: {self.code})"
        what = f"not permitted: {self.action} on {self.resource}"
        if self.denial:
            if not self.denied:
                what = f"{self.action} on {self.resource} failed with {self.code}"
            return f"{what}: {self.denial.cause}; {self.denial.advice}, and run the command again"
        if self.denied:
            said = f" (AWS: {self.detail})" if self.detail else ""
            return f"{what}{said}; grant it to the caller and run the command again"
        text = f"{self.action} on {self.resource} failed with {self.code}" + (f": {self.detail}" if self.detail else "")
        operation = self.action.rpartition(":")[2]
        gone = self.missing and operation.startswith(("Delete", "Detach", "Update"))
        if self.exists or gone or (self.code == "LimitExceeded" and operation == "CreateAccessKey"):
            text += "; perhaps another run is at work: run the command again when it has ended"
        return text

    @property
    def denied(self) -> bool:
        """Whether the caller lacks the permission."""
        return self.code in {"AccessDenied", "AccessDeniedException", "NotAuthorizedException", "UnauthorizedOperation"}

    @property
    def refused(self) -> bool:
        """Whether AWS surely did nothing: it answered, and the answer was no."""
        return self.denied or self.missing or self.key_refused or self.code == "LimitExceeded" or bool(self.credentials)

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
