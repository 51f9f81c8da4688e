"""What can go wrong with watching usage."""

from argosy.kit.rates import TooManyRequests


class TooManyStreams(TooManyRequests):
    """The organization watches its usage as often as it may at once."""

    type, title = "too-many-streams", "Too many streams"
