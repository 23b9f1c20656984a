"""The journey of one document."""
