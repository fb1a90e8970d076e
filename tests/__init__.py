"""The tests, as a package, so that fixtures and stand-ins are imported by name."""
