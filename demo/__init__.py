"""The emulated AWS and the seam that points the real stacks at it."""
