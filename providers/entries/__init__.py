"""What an entry of the catalogue says, and how it is read from its TOML file and checked.

`values` is the schema: what a key may be is what its dataclass says. `reading` holds a file to it, `sense` asks whether
the facts go together, `lines` finds the line to point at.
"""
