"""One run of one account: fetch every kind that is due into the journal, then decide."""

from syncd.passes.conduct import Conductor
from syncd.passes.job import Job, Progress, Setup, TaskNote, policies_of

__all__ = ["Conductor", "Job", "Progress", "Setup", "TaskNote", "policies_of"]
