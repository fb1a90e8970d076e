"""Facebook: sign-in, long-lived tokens, profile, Page contact details, signals.

Owns what is Facebook's own way: comma scopes, exchange instead of refresh, `appsecret_proof`, Graph error codes, Pages
and `signed_request`. Modules: `graph` (calls and errors), `oauth`, `profile`, `pages`, `signals`.
Others use `Facebook`.
"""

from providers.facebook.adapter import Facebook

__all__ = ["Facebook"]
