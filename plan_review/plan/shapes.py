"""What secrets look like: published key formats, URLs and commands with passwords, and texts that another one hides.

The formats are those that GitHub scans for, as far as a prefix or a fixed shape tells them:
https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

ACCESS_KEY_ID = "an AWS access key id"
# What can be followed by something else is bounded everywhere: else a text of 100 KB that nearly fits takes hours.
#: What a key is of, and how it is written after its prefix. The prefixes begin a word.
_TOKENS: tuple[tuple[str, str], ...] = (
    (ACCESS_KEY_ID, r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}"),
    ("a GitLab token", r"gl(?:pat|ptt|dt|rt|ft|soat|cbt|agent|oas)-[\w-]{20,}"),
    ("a Slack token", r"xox[abeprs]-[\w-]{10,}|xapp-\d-[\w-]{10,}"),
    ("a Stripe key", r"(?:[rs]k_(?:live|test)_[0-9a-zA-Z]{20,}|whsec_[A-Za-z0-9+/]{24,})"),
    ("a Google API key", r"AIza[\w-]{35}(?![\w-])"),
    ("a Google OAuth secret", r"GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}"),
    (
        "an API key of an AI service",
        r"sk-(?:ant-|proj-|svcacct-|admin-|or-)?[\w-]{32,}|hf_[A-Za-z]{30,}|gsk_[A-Za-z0-9]{40,}",
    ),
    ("an npm token", r"npm_[A-Za-z0-9]{36}"),
    ("a PyPI token", r"pypi-AgE[\w-]{50,}"),
    ("a SendGrid key", r"SG\.[\w-]{16,100}\.[\w-]{16,}"),
    ("a Twilio key", r"SK[0-9a-f]{32}(?![0-9a-f])"),
    ("a Mailgun key", r"key-[0-9a-f]{32}(?![0-9a-f])"),
    ("a Mailchimp key", r"[0-9a-f]{32}-us\d{1,2}(?!\w)"),
    ("a Square token", r"sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{56,}"),
    ("a Shopify token", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("a DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}"),
    ("a Heroku token", r"HRKU-[\w-]{36,}"),
    ("a Databricks token", r"dapi[a-f0-9]{32}"),
    ("an Atlassian token", r"ATATT3[\w=-]{40,}"),
    ("a Vault token", r"hv[sbr]\.[\w-]{24,}"),
    ("a Doppler token", r"dp\.(?:pt|st|ct|sa|scim)\.[\w.]{40,}"),
    ("an HCP Terraform token", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    ("a New Relic key", r"NRAK-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}"),
    ("a Grafana token", r"gl(?:c|sa)_[\w+/=]{32,}"),
    ("a Linear key", r"lin_api_[A-Za-z0-9]{40}"),
    ("a Postman key", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("a Docker token", r"dckr_(?:pat|oat)_[\w-]{27,}"),
    ("an age key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("a Notion token", r"(?:secret|ntn)_[A-Za-z0-9]{40,}"),
    ("a PlanetScale key", r"pscale_(?:tkn|pw|oauth)_[\w.=-]{32,}"),
    ("a Supabase key", r"sbp_[a-f0-9]{40}|sb_secret_[\w-]{20,}"),
    ("a Sentry token", r"sntry[su]_[\w+/=.-]{40,}"),
    ("a Pulumi token", r"pul-[a-f0-9]{40}"),
    ("an Airtable token", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("a Telegram bot's token", r"\d{8,10}:AA[\w-]{33}"),
    ("a signed token (JWT)", r"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,20000}\.[\w-]{10,}"),
)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:" + "|".join(f"(?P<t{index}>{shape})" for index, (_, shape) in enumerate(_TOKENS)) + ")"
)
_TOKEN_NAMES = {f"t{index}": what for index, (what, _) in enumerate(_TOKENS)}
#: The first three characters of the words above that have fixed ones. A look into this set fails for nearly every word.
_STARTS = frozenset(
    [
        *("AKI", "ASI", "ghp", "gho", "ghu", "ghs", "ghr", "git", "glp", "gld", "glr", "glf", "gls", "glc", "gla"),
        *("glo", "xox", "xap", "rk_", "sk_", "whs", "AIz", "GOC", "ya2", "sk-", "hf_", "gsk", "npm", "pyp", "SG."),
        *("key", "sq0", "EAA", "shp", "dop", "doo", "dor", "HRK", "dap", "ATA", "hvs", "hvb", "hvr", "dp.", "NRA"),
        *("NRJ", "lin", "PMA", "dck", "AGE", "sec", "ntn", "psc", "sbp", "sb_", "snt", "pul", "pat", "eyJ"),
        *(f"SK{digit}" for digit in "0123456789abcdef"),
    ]
)
#: What stands inside of the others.
_MIDDLES = (":AA", "-us", ".atlasv1.")
#: A word that is long enough to be one.
_LONG_WORD = re.compile(r"[\w.-]{20,}", re.ASCII)
_PART = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9][\w-][\w.-]")
_TEXT_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-")),
    # A password may hold slashes, which nobody escaped; a port may not.
    (
        "a URL with a password",
        re.compile(
            r"\b[a-z][a-z0-9+.-]{0,30}://[^/\s:@]{0,250}:(?!\d{1,5}/)"
            r"(?!(?:\$\{[^}@]*\}|\$\w+|\$\([^)@]*\)|%\w|<[^>@]*>|\{+[^}@]*\}+|\*+|x+|pass(?:word)?)@)[^\s@]{1,2000}@",
            re.IGNORECASE,
        ),
    ),
    (
        "a webhook's URL",
        re.compile(
            r"hooks\.slack\.com/(?:services|workflows|triggers)/\w+/\w+/\w+"
            r"|discord(?:app)?\.com/api/webhooks/\d+/[\w-]+|\.webhook\.office\.com/webhookb2/[\w@-]+"
        ),
    ),
    ("a signed URL", re.compile(r"[?&](?:X-Amz-Signature=[0-9a-f]{64}|sig=[\w%+/-]{30,})")),
    ("an authorization header", re.compile(r"\b(?:Bearer\s+[\w.~+/-]{20,}|Basic\s+[A-Za-z0-9+/]{16,}={0,2})")),
    ("a storage key", re.compile(r"\b(?:AccountKey|SharedAccessKey|SharedSecretValue)=[A-Za-z0-9+/]{20,}")),
)
#: Without one of these a text has none of _TEXT_SHAPES.
_HINT = re.compile(
    r"://[^\s@]{0,2300}@|PRIVATE KEY|PuTTY|Bearer|Basic|hooks\.slack|/webhook|Signature=|sig=|Key=|SecretValue="
)
_NAMES = (
    r"(?:pass(?:word|wd|phrase)?|pwd|pw|secret(?:[_-]?key)?|(?:auth|access|api|bearer)?[_-]?token"
    r"|(?:api|access|account|private|secret[_-]access)[_-]?key|credentials?)"
)
#: NAME=value, --name value, "name": "value" in a script, a command or a connection string.
_ASSIGNED = re.compile(
    rf"(?:^|(?<=[\s;,&?{{(\"'`_-]))(?:(?:[\w.-]{{0,80}}?[_.-])?{_NAMES}|\w{{0,80}}passw(?:or)?d)[\"']?(?P<sign>\s*=\s*|\s*:\s*|\s+)"
    r"(?P<value>\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'`;,&)}]+)",
    re.IGNORECASE,
)
#: Options of well-known programs that take a password.
_OPTIONS = re.compile(
    r"\bmysql\w*\b[^\n|;&]{0,400}?\s-p(?P<mysql>[^\s\"'$-][^\s]*)"
    r"|\b(?:sshpass|docker\s+login|helm\s+registry\s+login|redis-cli|mongo\w*|az\s+login|oc\s+login)\b[^\n|;&]{0,400}?"
    r"\s(?:-p|-a)[ =]?(?P<option>[^\s\"'$-][^\s]*)"
    r"|\bcurl\b[^\n|;&]{0,400}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"'$]+:(?P<curl>[^\s\"'$]{2,})"
)
_SEPARATED = re.compile(r"[\s=:]")
_MAYBE_ASSIGNED = re.compile(r"pass|pwd|pw|secret|token|key|credential", re.IGNORECASE)
_MAYBE_OPTION = re.compile(r"\s-(?:p|a|u|-user)")
#: What stands where a value would, and refers to one, or is a word of prose.
_REFERS = re.compile(
    r"[$<%{*(\[]|arn:|/(?:run|var|etc|opt|home|mnt|tmp|secrets)/|[a-z]+://[^@]*$|x+$|\.{2,}|file:|env:|ssm:",
    re.IGNORECASE,
)
_PLAIN_WORDS = re.compile(r"[A-Za-z]+(?:[-_/.][A-Za-z]+)*[.,:!?]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{24,}={0,2}\s*")
_TEXT_MAX = 200_000


def shape_of(text: str) -> str:
    """What the text holds, in words, or nothing: a key of a known format, a URL or header with a password."""
    if any(middle in text for middle in _MIDDLES):
        match = _TOKEN.search(text)
    else:
        found = (_TOKEN.match(text, start) for start in _token_starts(text))
        match = next((m for m in found if m is not None), None)
    if match and match.lastgroup:
        return _TOKEN_NAMES[match.lastgroup]
    return next((what for what, shape in _TEXT_SHAPES if shape.search(text)), "") if _HINT.search(text) else ""


def _token_starts(text: str) -> Iterator[int]:
    """Where a key of a known format may begin."""
    for word in _LONG_WORD.finditer(text):
        for part in _PART.finditer(word.group()):
            if part.group() in _STARTS:
                yield word.start() + part.start()


def command_secret(text: str) -> str:
    """What a script, a command line or a connection string gives away, in words, or nothing."""
    if _SEPARATED.search(text) and _MAYBE_ASSIGNED.search(text):
        for match in _ASSIGNED.finditer(text[:_TEXT_MAX]):
            if _is_value(match["value"].strip("\"'"), match["sign"], quoted=match["value"][:1] in "\"'"):
                return "a password or key in a text"
    if _MAYBE_OPTION.search(text) and _OPTIONS.search(text[:_TEXT_MAX]):
        return "a password in a command"
    return ""


def _is_value(value: str, sign: str, *, quoted: bool) -> bool:
    if len(value) < 3 or _REFERS.match(value):
        return False
    if "=" in sign:
        return value.lower() not in _SETTINGS
    odd = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if ":" in sign:
        return quoted or odd or not _PLAIN_WORDS.fullmatch(value)
    # Behind a space stands a value (`--password x`) or any other word (`the token is`).
    return odd and len(value) >= 6


#: Values of settings that only have a secret's name.
_SETTINGS = frozenset(
    ["true", "false", "null", "none", "yes", "no", "optional", "required", "enabled", "disabled", "nil", "undefined"]
)


def unpacked(text: str) -> str:
    """The text that another one holds as base64, zipped or not; "" for none."""
    if len(text) > _TEXT_MAX or not _BASE64.fullmatch(text):
        return ""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        if data.startswith(b"\x1f\x8b"):
            data = zlib.decompressobj(wbits=31).decompress(data, _TEXT_MAX)
        found = data.decode()
    except (binascii.Error, ValueError, zlib.error):
        return ""
    return found if all(c.isprintable() or c.isspace() for c in found[:200]) else ""
