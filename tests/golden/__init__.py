"""What each released version wrote and promised, as files; the present code is held to them (docs/upgrading.md)."""
