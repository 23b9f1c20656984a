"""The systems of the papers in miniature: a model of 0.4 M parameters on two CPU cores, and the table of what came out."""
