"""Tests of Argosy."""

import os

# Threads of numerical libraries wait for each other in loops: with a few test processes on a few processors, what is
# trained in a twentieth of a second takes five seconds of all processors. It has to be said before numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
