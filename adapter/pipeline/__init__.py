"""One source: scan the pool, detect changes, record them, deliver their events, confirm what was delivered."""
