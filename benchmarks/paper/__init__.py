"""The systems of the papers in miniature: models of 0.4 M parameters on two CPU cores, and a table of what came out."""
