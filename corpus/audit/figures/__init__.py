"""The numbers of the audit, one module per question. All of them go into audit.json, and the page shows nothing else.

    counts.py        how many documents, characters, tokens: by source, kind, licence, year; by fate and deciding rule
    rules.py         every rule by kind of text: its distribution, its threshold, what it rejected
    duplicates.py    clusters, similarities, which source repeats which
    selftest.py      planted near-duplicates: how many are found, against the theory of the bands
    extraction.py    numbers and signs kept, failures by reason, pages without text
    script.py        which scripts the corpus is written in
    tokens.py        lengths, packing, fertility
    terms.py         which words of the corpus the tokenizer breaks into many pieces
    privacy.py       personal data found and masked, by type
    contamination.py benchmarks in the corpus
    bill.py          one digest per source

Each takes the ledger's columns and gives plain data.
"""
