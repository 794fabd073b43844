"""The status page of a real process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.aws import EmulatedAws
from tests.emulator.process import Users, adapter, probe, settings
from tests.support import RecordingSink, wait_until


def test_a_running_adapter_shows_what_it_does_where_its_log_says(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    users.create("amara")
    users.grow_old()
    with RecordingSink.start() as sink:
        environment = settings(aws, users.arn, sink.url, STATUS_ADDRESS="127.0.0.1:0")
        with adapter(environment, tmp_path) as running:
            (line,) = running.wait_for("status_page")
            running.wait_for("baseline_done")

            def status() -> dict[str, Any]:
                code, found = probe(urlsplit(line["url"]).port or 0, "/status")
                return found if code == 200 else {}

            def told() -> dict[str, Any]:
                found = status()
                return found if found.get("last_events") else {}

            wait_until(lambda: status().get("ready"))
            users.create("bilal")
            found = wait_until(told)
            assert (found["users"], found["events_by_kind"], found["holds_lease"]) == (2, {"created": 1}, True)
            assert found["last_events"][0]["id"] == sink.events[0]["id"]
            assert "bilal" not in json.dumps(found)
            assert running.terminate() == 0
    assert "bilal" not in running.err
