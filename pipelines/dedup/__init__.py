"""Kept documents -> which of them say what another one says, and which one stays.

In reading order: `kernel` (loops as machine code), `shingle` (text -> hashes), `minhash` (hashes -> sketch), `index`
(sketches on disk), `rounds` (how a search is cut), `link` (candidates -> verified links), `near` (links -> duplicates),
`contained` (what stands in a longer document), `survivors` (who stays), `against` (what earlier builds decided),
`planted` (the self-test), `paragraphs` and `cut` (what stands in many documents).
"""
