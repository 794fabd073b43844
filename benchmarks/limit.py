"""What no client of ListUsers in this process can go below: libcurl fetches and signs, msgspec cuts a page apart."""

from __future__ import annotations

from typing import Any

import msgspec
import pycurl

from benchmarks.rig import POOL
from tests.fake_cognito.server import ACCESS_KEY


class _UserPage(msgspec.Struct):
    Users: list[msgspec.Raw]
    PaginationToken: str | None = None


class Limit:
    """Lists the whole pool, and drops it."""

    def __init__(self, endpoint: str) -> None:
        """Connect to nothing yet."""
        self._curl = curl = pycurl.Curl()
        curl.setopt(pycurl.URL, endpoint)
        curl.setopt(
            pycurl.HTTPHEADER,
            [
                *("Expect:", "Accept:", "Content-Type: application/x-amz-json-1.1"),
                "X-Amz-Target: AWSCognitoIdentityProviderService.ListUsers",
            ],
        )
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{POOL.region}:cognito-idp")
        curl.setopt(pycurl.USERNAME, ACCESS_KEY)
        curl.setopt(pycurl.PASSWORD, "synthetic-secret-key")
        self._decode = msgspec.json.Decoder(_UserPage).decode

    def list(self) -> int:
        """How many users there are."""
        request: dict[str, Any] = {"UserPoolId": POOL.pool_id, "Limit": 60}
        found = 0
        while True:
            self._curl.setopt(pycurl.POSTFIELDS, msgspec.json.encode(request))
            page = self._decode(self._curl.perform_rb())
            found += len(page.Users)
            if page.PaginationToken is None:
                return found
            request["PaginationToken"] = page.PaginationToken

    def close(self) -> None:
        """Close the connection."""
        self._curl.close()
