"""Storms: many processes, killed, frozen, cut off and starved while they refresh, and a provider that knows the truth.

    make chaos                                    every storm, on both databases; a table and build/chaos.json
    make chaos ARGS="--seed 7 --only F1"          the same storm again

Each storm is a function that answers an `Outcome`: what was done, what was measured, and whether the number was held.
The order of what happens (whom it meets, how, after how long) is drawn from the seed; what the processes do meanwhile
is theirs. `tests/faults` has the small versions without chance.
"""
