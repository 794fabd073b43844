"""Every parser of outside input against inputs nobody would write: `python -m tests.fuzz`, `make fuzz`.

An input ends in a result or in the error that the parser documents. Anything else is a finding: another exception, more
than a second, a broken promise (what was written is read back as it was), a message that quotes a secret, or one that
is more than a printable line. Input N of a parser depends on the seed, the parser's name and N only, so every finding
can be had again.
"""
