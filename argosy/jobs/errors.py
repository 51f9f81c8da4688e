"""What can go wrong with jobs."""

from argosy.kit.errors import Conflict, NotFound


class JobNotFound(NotFound):
    """No such job, or not for this caller."""

    type, title = "job-not-found", "Job not found"


class JobEnded(Conflict):
    """The job has ended and cannot be cancelled."""

    type, title = "job-ended", "The job has ended"


class JobNotSucceeded(Conflict):
    """The job has no result: it has not ended yet, or not well."""

    type, title = "job-not-succeeded", "The job has no result"


class JobResultNotFound(NotFound):
    """The job's result is not kept here, or not any more."""

    type, title = "job-result-not-found", "Job result not found"


class JobFailed(Exception):
    """Raised by a handler when the job cannot succeed, whatever is tried; the text is shown to its owner."""


class LeaseLost(Exception):
    """Another worker has taken the job over; what this one did must not count."""


class JobCancelled(Exception):
    """The owner asked for the job to stop."""
