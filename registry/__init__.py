"""What is on record: names, schemas, files and lineage. The floor that everything else stands on; it imports none of it."""
