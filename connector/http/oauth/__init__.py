"""The OAuth and OpenID Connect endpoints toward web apps and workers, one file per RFC.

Owns the shapes of OAuth requests and answers. What a grant means is decided in flows and rooms.
"""
