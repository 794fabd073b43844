"""`python -m iam`."""

from iam.cli import main

if __name__ == "__main__":
    main(prog_name="python -m iam")
