"""The command line: what operators do, and how the processes are started.

Owns the words of the commands, what they print and their exit codes: 0 done, 1 failed, 2 misused, 3 refused by policy.
Decides nothing: a command calls flows, or rooms for plain reads, and holds no SQL. Nobody imports from here.
"""

from connector.cli.root import main

__all__ = ["main"]
