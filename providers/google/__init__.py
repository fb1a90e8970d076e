"""Google: OpenID Connect sign-in, refresh, revocation, profile, contacts by the People API.

Owns what is Google's own way: offline access, scopes that a person can untick, a revocation endpoint without client
authentication, person resources and sync tokens. Others use `Google`.
"""

from providers.google.adapter import Google

__all__ = ["Google"]
