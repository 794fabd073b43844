"""An emulated AWS on this machine: moto with rules of our own, the deployment into it, and its tasks."""
