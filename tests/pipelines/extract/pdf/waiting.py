"""A parser that starts a helper, tells its process, and then never ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipelines.extract import Part, Raw
from pipelines.extract.pdf.ranges import Source
from pipelines.extract.pdf.together import UNLIMITED, Helpers


def extract(raw: Raw) -> Iterator[Part]:
    with Helpers(Source(str(raw.path)), [range(1, 2)], UNLIMITED) as helpers:
        helpers.start_one()
        ((child, _),) = helpers.busy.values()
        yield Part(str(child.process.pid))
        time.sleep(60)
