"""Rules of Japanese finance. Each returns one number that is measured for every document and stored in the ledger."""

from pathlib import Path

from registry.names import Reading, rule

TERMS = frozenset((Path(__file__).parent / "words" / "terms.txt").read_text(encoding="utf-8").split())


@rule
def finance_terms(doc: Reading) -> float:
    """Finance terms (words/terms.txt, matched on MeCab words) per thousand words."""
    return 1000 * doc.share(TERMS)
