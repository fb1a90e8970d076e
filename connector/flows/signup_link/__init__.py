"""Sign-up, sign-in, linking and reauthorisation.

    arriving    the browser comes with a request: checked, bound to it, our page
    choosing    the person's choices come back: on to the provider
    returning   the provider's redirect: state, browser, integration, issuer; its code is sealed, ours goes to the app
    redeeming   the app shows its verifier (and its user, when linking); only then is the provider's code exchanged
    landing     one transaction makes everything, or nothing
    cleaning    what nobody finished leaves nothing

Who began is who finishes: nothing exists at the gateway before the app that began has redeemed with the secret that
never left it.
"""

from connector.flows.signup_link.arriving import Browser, Onward, Page, arrive, show_again
from connector.flows.signup_link.asking import Parameters
from connector.flows.signup_link.choosing import Form, choose
from connector.flows.signup_link.cleaning import step
from connector.flows.signup_link.notice import ImportLine, Notice, Picker, PushLine
from connector.flows.signup_link.problems import GrantRefused, SentBack, ShownOnly, sent_back_url
from connector.flows.signup_link.pushing import Pushed, push
from connector.flows.signup_link.redeeming import Redemption, redeem
from connector.flows.signup_link.results import SignedIn
from connector.flows.signup_link.returning import hold_posted, returned

__all__ = [
    "Browser",
    "Form",
    "GrantRefused",
    "ImportLine",
    "Notice",
    "Onward",
    "Page",
    "Parameters",
    "Picker",
    "PushLine",
    "Pushed",
    "Redemption",
    "SentBack",
    "ShownOnly",
    "SignedIn",
    "arrive",
    "choose",
    "hold_posted",
    "push",
    "redeem",
    "returned",
    "sent_back_url",
    "show_again",
    "step",
]
