"""Bytes -> shards, one room per stage.

In reading order: inventory, extract/, normalize, privacy, words, quality/, refine, dedup/, tokenize, report. `build.py`
runs them; `stages/` says what of each is left to do; `engine/` does it, on whatever machines there are.
"""
