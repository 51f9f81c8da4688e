"""The servers under comparison."""

from bench.peers.argosy import Argosy
from bench.peers.base import Peer
from bench.peers.floor import Bare, ByHand
from bench.peers.products import BentoML, LitServe, MLflow, MLServer, RayServe

ARGOSY = Argosy.name
BARE = Bare.name
BY_HAND = ByHand.name


def all_peers() -> dict[str, Peer]:
    """Return every server by the name it has on the command line."""
    peers: list[Peer] = [Argosy(), Bare(), ByHand(), MLServer(), LitServe(), BentoML(), MLflow(), RayServe()]
    return {peer.name.split()[0].lower(): peer for peer in peers}
