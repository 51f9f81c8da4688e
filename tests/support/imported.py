"""All that a server imports, for servers that are forked from here; tests import nothing of it."""

import gc

from argosy.kit import memory

with memory.importing():
    import argosy.cli.process
    import argosy.cli.server
    import argosy.cli.supervisor  # noqa: F401 - what is imported once need not be again

gc.freeze()
