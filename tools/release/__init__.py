"""What a release needs: version, CHANGELOG and tag agree (`python -m tools.release`); the image's size and test."""
