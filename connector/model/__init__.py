"""The words of the gateway: ids, states, tags, errors, the clock.

Owns nothing but meaning. Imports nothing else of the house, does no I/O, and may be imported from every room.
"""
