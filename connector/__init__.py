"""The gateway: it decides.

Owns every decision about clients, people, connections, values and policy. `app.py` is the only module that knows every
room. Doors (`http`, `cli`, `worker`) call `flows`; flows call rooms; rooms call the floor (`model`, `storage`,
`egress`, `settings`). Rooms never import each other. `providers` and `vault` are used from here and never import from
here.
"""
