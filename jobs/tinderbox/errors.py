"""Every error that Tinderbox raises on purpose, with the exit code the command line gives it.

TinderboxError           1   something stopped the job
├── BadInput             2   what was asked for cannot be run; nothing was started, nothing was lost
├── NoExecutor           3   executors do not arrive, or do not live
├── NoTrialSucceeded     4   the study ended and not one trial has a value
├── TrainingFailed       5   a worker raised, or the loss is no number: another attempt would come to the same
├── Superseded           1   a later driver has taken over this run
└── StaleAttempt         -   a slot speaks for an attempt that is no longer the trial's (HTTP 409)
"""

from __future__ import annotations


class TinderboxError(Exception):
    """A job stopped; the message is one sentence a user can act on."""

    exit_code = 1


class BadInput(TinderboxError):
    """The input cannot be run: the message names the thing, the rule, the value got and what to do."""

    exit_code = 2


class NoExecutor(TinderboxError):
    """The cluster gives no executor that stays alive; the message says why."""

    exit_code = 3


class NoTrialSucceeded(TinderboxError):
    """A study ended without one trial that has a value."""

    exit_code = 4


class TrainingFailed(TinderboxError):
    """A training's worker failed by what it does itself, as it would in another attempt; the message says by what."""

    exit_code = 5


class Superseded(TinderboxError):
    """A later driver writes this run's record or rows; this one must stop."""


class StaleAttempt(TinderboxError):
    """A message carries an attempt number that is no longer the trial's; its sender must drop the trial."""
