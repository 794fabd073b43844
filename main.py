"""The CDKTF app: manifest -> validated inputs -> stacks -> cdktf.out. Run by `cdktf synth|diff|deploy`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from adapter.errors import ConfigError
from adapter.manifest import read
from stacks.inputs import inputs_from


def main(environ: Mapping[str, str], outdir: str | None = None) -> int:
    """Synthesize. `SOURCE_MANIFEST` names the manifest; the exit code is 0, or 2 for a bad manifest."""
    manifest_file = environ.get("SOURCE_MANIFEST") or str(Path(__file__).parent / "source.yaml")
    try:
        inputs = inputs_from(read(manifest_file))
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)  # noqa: T201 - this is a command line
        return 2
    print(*inputs.warnings, sep="\n", end="\n" if inputs.warnings else "", file=sys.stderr)  # noqa: T201 - same

    # Imported late: a bad manifest is told in a tenth of a second, without starting Node.
    from stacks.app import build
    from stacks.bindings import App

    # Validation would run `terraform version` on every synth; `required_version` says the same later.
    app = App(skip_validation=True, outdir=outdir)
    build(app, inputs)
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
