"""Shards -> checkpoint. So far: shards -> batches (stream.py)."""
