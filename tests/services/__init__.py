"""Real servers for the tests: found or started once a run, stopped when the run ends, reported where they lack."""
