"""Any OpenID Connect provider, by discovery.

Owns what OpenID Connect asks of a relying party: metadata, key sets, ID tokens, userinfo. Libraries parse and compute;
which issuer, algorithm, key, audience and nonce is taken is decided here. Modules: `metadata`, `keys`, `id_token`,
`claims`, `adapter`. Others use `OpenIDConnect`, or build on it where a provider differs in a few words.
"""

from providers.oidc.adapter import OpenIDConnect
from providers.oidc.metadata import MetadataCache

__all__ = ["MetadataCache", "OpenIDConnect"]
