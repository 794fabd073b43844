"""The short form of `python -m tests.chaos`: ten kills for each store."""

from __future__ import annotations

import pytest

from tests.chaos.driver import run
from tests.support.dynalite import find_dynalite


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("store", "initial"), [("sqlite", "baseline"), ("dynamodb", "snapshot")])
def test_nothing_is_lost_or_invented_however_often_the_adapter_is_killed(store: str, initial: str) -> None:
    if store == "dynamodb" and find_dynalite() is None:
        pytest.skip("dynalite is not installed: run `make tools`")
    figures = run(kills=10, seed=20_261_123, store=store, initial=initial)
    assert figures.good, figures
    assert figures.kills == 10
    assert figures.changes > 50, figures
    assert figures.delivered > 50, figures
