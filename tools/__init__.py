"""Set-up of a checkout: fetches what `make` needs into .tools/."""
