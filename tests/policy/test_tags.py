from __future__ import annotations

import pytest

from connector.model.tags import Action, Category, MalformedTags, Purpose, Recipient, Source, Tags, UnknownWord, Use
from connector.policy.space import STANDINGS, TAGS, USES


def test_the_encoding_of_tags_is_injective_and_reads_back():
    encoded = {tags.canonical(): tags for tags in TAGS}
    assert len(encoded) == len(TAGS) == 756
    assert all(Tags.parse(written) == tags for written, tags in encoded.items())


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"tags/1:",
        b"tags/2:contact,given,identified,ok,private,current",
        b"tags/1:contact,given,identified,ok,private",
        b"tags/1:contact,given,identified,ok,private,current,current",
        b"tags/1:contact,given,identified,ok,private,current ",
        b"tags/1:contact,GIVEN,identified,ok,private,current",
        b"tags/1:contact,given,identified,ok,private,\xff",
    ],
)
def test_bytes_that_no_tags_wrote_are_refused(encoded):
    with pytest.raises(MalformedTags):
        Tags.parse(encoded)


def test_an_unknown_word_is_refused_with_its_set_and_the_known_words():
    with pytest.raises(UnknownWord, match="unknown recipient 'advertiser'; use one of: us, owner, user") as refused:
        Recipient("advertiser")
    assert (refused.value.word, refused.value.kind) == ("advertiser", "recipient")


def test_every_part_of_a_cell_knows_its_place():
    assert [use.index for use in USES] == list(range(504))
    assert [tags.index for tags in TAGS] == list(range(756))
    assert [standing.index for standing in STANDINGS] == list(range(96))


def test_a_token_is_what_the_person_handed_over():
    assert Tags.credential() == Tags(Category.CREDENTIAL, Source.GIVEN)


def test_a_use_reads_as_its_three_words():
    assert str(Use(Action.PUSH, Recipient.PROVIDER, Purpose.SYNC)) == "push provider sync"
