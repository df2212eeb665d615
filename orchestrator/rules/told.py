"""The reasons of verdicts in words, for whoever asks why a machine was taken for one. Pure."""

from collections.abc import Iterable

REASONS: dict[str, str] = {
    "not_a_get": "it asked by another method than GET, which no link and no picture does",
    "no_user_agent": "it did not say what program it was",
    "known_robot": "its user agent is a robot's",
    "says_robot": "it sent a From header, which robots send",
    "declared_prefetch": "it said itself that it only fetched ahead",
    "scanner_network": "it came from a network of a security gateway",
    "datacentre_network": "it came from a datacentre, where nobody reads mail",
    "prefetch_proxy": "Apple's proxy fetches every picture, whether or not anybody reads",
    "prefetch_network": "it came from the network through which Apple fetches pictures ahead",
    "browser_without_languages": "it posed as a browser, and named no language as browsers do",
    "not_a_navigation": "it said that it did not follow a link",
    "before_it_left": "the message had not been handed over",
    "too_fast": "nobody reads and decides that soon after the hand-over",
    "several_links_at_once": "several links of the message were followed within seconds",
    "hidden_link": "it followed the link that no person sees",
    "fetcher_of_hidden_link": "the same program followed the link that no person sees",
    "beside_hidden_link": "the link that no person sees was followed within half a minute of it",
    "same_as_a_probe": "the same program had asked for the head of the link just before",
    "proxied_for_a_person": "a mail provider's proxy fetched it because a person looked",
    "no_machine_sign": "nothing shows a machine; one could have done it all the same",
    "provider_says_bot": "the provider says that it was a bot",
    "unfurled": "a chat fetched the link to show a card of it",
    "read_receipt": "the provider says that it was read",
    "own_page": "a button on the person's own page was pressed",
    "button": "a button in the message was pressed",
    "weakly_signed_source": "its source is not signed over the whole, so that it may stop only",
    "writer_unclear": "it is not certain who wrote it",
    "let_in": "the person let us in",
    "read by a person": "one of us has read it and said what it means",
    "reread": "what was stored was read again by a newer reader",
}


def in_words(reasons: Iterable[str]) -> list[str]:
    """Each reason as a sentence would end; what has no words here stands for itself."""
    return [REASONS.get(one, one.replace("_", " ")) for one in reasons]
