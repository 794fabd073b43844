"""Why AWS refused a call, recognised in AWS's sentence and said in our own words, with the advice that fits. Pure.

A grant to the caller, the usual advice, does not help against a service control policy, a permissions boundary or a
key policy. AWS's sentence itself is not passed on where a call carries a secret; what is said here quotes nothing of it
but, on request, the ARN of a policy or the key of a tag.

Sources:
- https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html (the kinds of policy, and both forms:
  "with an explicit deny in a ... policy", "because no ... policy allows the ... action")
- https://repost.aws/knowledge-center/secrets-manager-cross-account-key ("Access to KMS is not allowed")
- https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_tag-policies-enforcement.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_IDENTITY = "identity-based policy"
_GRANT = "grant it to the caller"
_ORGANIZATION = "ask the administrators of the organization to allow it: a grant to the caller does not help"
#: What helps against each kind of policy.
_ADVICE: Mapping[str, str] = {
    "service control policy": _ORGANIZATION,
    "resource control policy": _ORGANIZATION,
    "permissions boundary": "widen that permissions boundary: a grant to the caller does not help",
    "session policy": "use another session, without that policy or with a wider one",
    "vpc endpoint policy": "allow it in the policy of the VPC endpoint, or call from another network",
    "resource-based policy": "change the policy of the resource itself",
    "role trust policy": "let the role trust the caller",
    _IDENTITY: _GRANT,
}
_KIND = re.compile(rf"(explicit deny in an?|because no) ({'|'.join(_ADVICE)})\b", re.IGNORECASE)
_POLICY_ARN = re.compile(r"policy: (arn:[a-z-]+:(?:iam|organizations)::\d*:policy/[\w+=,.@/-]{1,200})", re.ASCII)
_KMS_ACTION = re.compile(r"not authorized to perform: (kms:[A-Za-z]{1,40})\b")
_TAG = re.compile(
    r"tag policy does not allow the specified value(?: for the following tag key: '?([\w .:/=+@-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class Denial:
    """What stood in the way, and what helps."""

    cause: str
    advice: str

    @property
    def lacks_grant(self) -> bool:
        """Whether it is the plain case: nothing allows it to the caller, and nothing forbids it."""
        return self.advice == _GRANT


def explain(code: str, message: str, *, quote: bool = True) -> Denial | None:
    """What AWS's sentence says about a refusal; None when it says nothing that is known here.

    Args:
        code: AWS's error code.
        message: AWS's sentence.
        quote: whether a policy's ARN and a tag's key may be taken over from it.
    """
    kms = _KMS_ACTION.search(message)
    if kms or "access to kms is not allowed" in message.lower() or code in {"DecryptionFailure", "EncryptionFailure"}:
        what = kms[1] if kms else "kms:GenerateDataKey and kms:Decrypt"
        return Denial(
            "the KMS key of the secret can't be used",
            f"allow {what} on that key, in the policy of the caller and in that of the key, and see that it is enabled",
        )
    tag = _TAG.search(message)
    if tag or code == "TagPolicyViolation":
        key = f" of the tag {tag[1].strip()}" if tag and tag[1] and quote else ""
        return Denial(
            f"a tag policy of the organization does not allow the value{key}", "give one that it allows by --tag"
        )
    found = _KIND.search(message)
    if found:
        return _by_policy(found, message, quote=quote)
    if "multifactorauthentication" in message.lower():
        return Denial("multi-factor authentication (MFA) failed or is missing", "sign in with a valid MFA code")
    return None


def _by_policy(found: re.Match[str], message: str, *, quote: bool) -> Denial:
    explicit, kind = found[1].lower() != "because no", found[2]
    arn = _POLICY_ARN.search(message, found.start()) if quote else None
    named = f" ({arn[1]})" if arn else ""
    article = "an" if kind.lower() == _IDENTITY else "a"
    cause = f"explicit deny in {article} {kind}{named}" if explicit else f"no {kind} allows it{named}"
    advice = _ADVICE[kind.lower()]
    if explicit and kind.lower() == _IDENTITY:
        advice = "remove that deny, or meet its condition, which often is a session with MFA: a grant does not help"
    return Denial(cause, advice)
