"""A campaign of faults: builds are disturbed at random points, and must end in the bytes of an undisturbed build.

__main__.py     the command: which runs, in which order; goes on where an earlier call stopped
campaign.py     the corpus, the undisturbed build, and the verdict on a disturbed one
building.py     a running `corpus build`, followed by what it says
blows.py        the faults, by engine
network.py      an S3 server behind a network that breaks off, refuses and hangs
table.py        results -> the table of README.md
"""
