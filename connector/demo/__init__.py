"""The demonstration: a throwaway gateway with everything around it, to click through or to watch.

Owns the stage (processes, ports, a folder that is removed at the end), the example web app, and the walkthrough. Stands
outside: it speaks to the gateway over HTTP and by its commands, as anybody would; only registering itself is done from
inside. Nothing in the gateway imports from here but the command that starts it.
"""

from connector.demo.run import run_demo, run_walkthrough

__all__ = ["run_demo", "run_walkthrough"]
