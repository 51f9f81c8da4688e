"""What a server does about garbage collection once it has started."""

import gc

# Python's own 700 objects are fewer than one large request has.
COLLECT_AFTER = (20_000, 20, 50)


def settle() -> None:
    """Keep what is there for good out of garbage collection, which would look at all of it within some request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
