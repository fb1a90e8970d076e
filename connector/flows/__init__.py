"""The journeys: one file each.

A flow opens transactions, calls the rooms it needs in order, and never holds a transaction open while it talks to a
provider. Flows decide nothing that a room or the policy decides; they are the only place where rooms meet. Doors call
flows; nothing below may import from here.
"""
