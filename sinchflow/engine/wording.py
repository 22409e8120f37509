"""Which of a text's languages a person is spoken to in."""

from sinchflow.model.flow import Text, Wording, Words


def choose(words: Words, languages: tuple[str, ...]) -> Text:
    """The text in the first of these languages that it has (`de-AT` falls back to `de`), else in the first written."""
    if isinstance(words, Text):
        return words
    assert isinstance(words, Wording)
    for language in languages:
        tag = language.lower()
        for candidate in (tag, tag.partition("-")[0]):
            if candidate in words.by_language:
                return words.by_language[candidate]
    return next(iter(words.by_language.values()))
