"""`python -m adapter doctor`: what the adapter needs, tried out one by one, and how to mend what is not so."""
