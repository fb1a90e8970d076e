"""Pages for people: plain HTML that works without scripts.

Owns templates and style. Every word that came from outside is escaped; no page loads anything from another origin.
"""
