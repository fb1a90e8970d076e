"""The adapter of every provider whose entry says all there is: OAuth 2.0 or OpenID Connect, driven by data alone.

`oauth2` speaks plain OAuth 2.0 as the entry describes it, `openid` OpenID Connect with the entry's few words more. What
the provider lacks the adapter lacks too, so nothing can be asked of it by mistake.
"""

from providers.generic.adapter import adapter_of
from providers.generic.registering import Registered, register_app

__all__ = ["Registered", "adapter_of", "register_app"]
