"""The HTTP API as any client would call it: standard library only."""

import base64
import json
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 60


class Api:
    """Logs in with an API key, then calls."""

    def __init__(self, origin: str, key: str, secret: str, *, seconds: float = TIMEOUT_SECONDS) -> None:
        self.origin = origin
        self._seconds = seconds
        basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
        token = self._call("POST", "/oauth/token?grant_type=password", {"Authorization": f"Basic {basic}"})
        self._headers = {"Authorization": f"Bearer {token['access_token']}"}

    def get(self, path: str) -> Any:
        """What `GET path` answers."""
        return self._call("GET", path, self._headers)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What `POST path` answers to a JSON body."""
        return self._tell("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """What `PATCH path` answers to a JSON body."""
        return self._tell("PATCH", path, body)

    def _tell(self, method: str, path: str, body: dict[str, Any]) -> Any:
        return self._call(method, path, self._headers | {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _call(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.origin + path, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=self._seconds) as response:
            return json.load(response)
