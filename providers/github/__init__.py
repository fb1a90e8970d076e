"""GitHub: sign-in, profile, profile write-back, grant revocation.

Owns what is GitHub's own way: token answers as forms, errors inside 200, commas between granted scopes, numbers as
account ids, rate-limit headers. `rest` calls the API, `oauth` the login, `profile` reads and writes.
Others use `GitHub`.
"""

from providers.github.adapter import GitHub

__all__ = ["GitHub"]
