"""What is on record: names, schemas, files and lineage. The floor that all else stands on; it imports none of it."""
