"""Moving in: connections made of tokens that an app obtained elsewhere, so that nobody has to sign in again.

An adopted connection hands out tokens and is refreshed like any other. It starts without consent: nothing is imported
and nothing is pushed until its person has seen the notice, by reauthorising or on their own pages.
"""

from connector.flows.adopt.asked import FIELDS, Wanted, wanted_from
from connector.flows.adopt.moving import Adopted, Arrived, Mover, adopt, adopt_all, arrived

__all__ = [
    "FIELDS",
    "Adopted",
    "Arrived",
    "Mover",
    "Wanted",
    "adopt",
    "adopt_all",
    "arrived",
    "wanted_from",
]
