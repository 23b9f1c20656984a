"""Kept documents -> which of them say what another one says, and which one stays.

In reading order: `kernel` (loops as machine code), `shingle` (text -> hashes), `minhash` (hashes -> sketch), `near`
(sketches -> duplicates, verified), `survivors` (who stays).
"""
