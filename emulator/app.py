"""The CDKTF app for the emulated AWS: synthesizes the real one, then edits it (emulator/provider_downgrade.py).

    cdktf deploy '*' --app 'python3 -m emulator.app'

EMULATED_AWS_ENDPOINT names the emulator. The unedited stacks stay beside the edited ones as unedited.json, and the
edits are in edits.json in the output folder. Without the mirrored provider (anything but Linux x86-64) nothing is
rewritten: the current provider honours AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import main as app
from emulator.provider_downgrade import DowngradeError, Edit, rewrite

SCHEMA = Path(__file__).resolve().parent.parent / ".tools" / "schema" / "aws-3.39.0.json"


def edit_stacks(outdir: Path, endpoint: str, schema: dict[str, Any]) -> list[Edit]:
    """Rewrite every synthesized stack in place; the edits are also written to edits.json."""
    edits: set[Edit] = set()
    for file in sorted(outdir.glob("stacks/*/cdk.tf.json")):
        text = file.read_text()
        document, found = rewrite(json.loads(text), schema, endpoint)
        # Not *.tf.json: Terraform would read it.
        file.with_name("unedited.json").write_text(text)
        file.write_text(json.dumps(document, indent=2))
        edits |= set(found)
    told = [{"what": edit.what, "how": edit.how} for edit in sorted(edits)]
    (outdir / "edits.json").write_text(json.dumps(told, indent=2))
    return sorted(edits)


def main() -> int:
    """Synthesize as the CDKTF CLI asks through CDKTF_OUTDIR, then edit."""
    code = app.main(os.environ)
    if code or not SCHEMA.exists():
        return code
    try:
        edit_stacks(
            Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out")),
            os.environ["EMULATED_AWS_ENDPOINT"],
            json.loads(SCHEMA.read_text()),
        )
    except DowngradeError as fault:
        sys.stderr.write(f"demo: {fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
