"""datatrove's blocks as steps of ours: `readers` of records and pages, `filters` that a recipe names.

datatrove is imported here and in registry/document.py only.
"""
