"""What people are told, and what they say to it: notices, the inbox of each person, and their standing yes or no.

Owns `notices`, `inbox_items`, `stances`, `mails`, `releases` and `forwardings`. A notice is announced once and then
posted to every inbox it is for; its time to object runs from there. What opens anything is under a row seal: a broken
one counts as never told, and as no. Nobody else writes these rows.
"""

from connector.inbox.forwardings import (
    Forwarding,
    by_hand,
    forget_forwardings,
    forwarding,
    queue_forwarding,
    was_told,
)
from connector.inbox.items import Item, NewItem, find_item, items_of, post, words_of
from connector.inbox.letters import Letter, forget_letter, letter, letters_of, queue_letter, void_letters
from connector.inbox.notices import (
    Announcement,
    Notice,
    announce,
    called_off,
    find_notice,
    notices_of,
    post_to_some,
    standing_notice,
    unspread,
)
from connector.inbox.releases import NewRelease, Release, hidden_of, keep_release, releases_of, terms_of_release
from connector.inbox.stances import (
    Stance,
    Toward,
    count_stances,
    forget_person,
    no_longer,
    stance_of,
    stances_of,
    take,
)
from connector.inbox.windows import Window, window_of

__all__ = [
    "Announcement",
    "Forwarding",
    "Item",
    "Letter",
    "NewItem",
    "NewRelease",
    "Notice",
    "Release",
    "Stance",
    "Toward",
    "Window",
    "announce",
    "by_hand",
    "called_off",
    "count_stances",
    "find_item",
    "find_notice",
    "forget_forwardings",
    "forget_letter",
    "forget_person",
    "forwarding",
    "hidden_of",
    "items_of",
    "keep_release",
    "letter",
    "letters_of",
    "no_longer",
    "notices_of",
    "post",
    "post_to_some",
    "queue_forwarding",
    "queue_letter",
    "releases_of",
    "stance_of",
    "stances_of",
    "standing_notice",
    "take",
    "terms_of_release",
    "unspread",
    "void_letters",
    "was_told",
    "window_of",
    "words_of",
]
