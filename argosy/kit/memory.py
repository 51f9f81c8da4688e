"""What a server does about garbage collection: none while it imports, and less once it has started."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Python's own 700 objects are fewer than one large request has.
COLLECT_AFTER = (20_000, 20, 50)


@contextmanager
def importing() -> Iterator[None]:
    """Import without collecting garbage: there is none, and looking for it takes a fifth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def settle() -> None:
    """Keep what is there for good out of garbage collection, which would look at all of it within some request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
