"""How fast it is, beside what the same machine can do at best in the same run: `python -m tests.bench`."""
