"""The worker: does in the background what nobody waits for.

Owns only the rhythm: which step runs how often, in how many threads, and how a worker goes down without losing
anything. What a step does belongs to its flow; the truth of what is to do is in the database, so any number of
workers may run.
"""

from connector.worker.worker import Worker

__all__ = ["Worker"]
