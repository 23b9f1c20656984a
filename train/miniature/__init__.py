"""The systems of the papers in miniature: seeded texts, a model of 0.4 M parameters, and the table of what came out."""
