"""The privacy policy as a program: dated rules over a finite space, one decision, proven for every combination.

Owns the rules' meaning, the decision and its proof. Takes the time as an argument and reads no clock; only `load`
(and the two commands `check` and `document`) read files. Nobody else may decide whether a value may be used, and no one
stores a decision: it is taken again at each use.
"""

from connector.policy.age import AgeRange, BirthDate, age_of
from connector.policy.check import Flow, PolicyUnsound, check, flows, load_sound_policy
from connector.policy.decision import Decision, Policy, explain
from connector.policy.diff import Change, Difference, difference, notice
from connector.policy.load import load_policy
from connector.policy.overlays import OWN
from connector.policy.proof import Report, Violation, prove
from connector.policy.rules import PolicyUnreadable
from connector.policy.versions import Version

__all__ = [
    "OWN",
    "AgeRange",
    "BirthDate",
    "Change",
    "Decision",
    "Difference",
    "Flow",
    "Policy",
    "PolicyUnreadable",
    "PolicyUnsound",
    "Report",
    "Version",
    "Violation",
    "age_of",
    "check",
    "difference",
    "explain",
    "flows",
    "load_policy",
    "load_sound_policy",
    "notice",
    "prove",
]
