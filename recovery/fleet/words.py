"""The words for outcomes and standings of a fleet's databases."""

from states.fleet import Outcome, Status

#: For each outcome, what it means.
OUTCOMES = {
    Outcome.FAILED: "a migration failed, or must be decided before a deploy",
    Outcome.DRIFT: "the schema is not what its history makes",
    Outcome.BASELINE: "the ledger is missing or has lost rows",
    Outcome.UNKNOWN: "it could not be told",
    Outcome.UNREACHABLE: "no answer, or no entrance",
    Outcome.PENDING: "migrations are pending, and nothing stands against a deploy so far",
    Outcome.HEALTHY: "nothing failed, nothing pending, the schema as its history makes it",
}
#: For each standing, its word in a table.
STANDINGS = {
    Status.WAITING: "waiting",
    Status.AT_WORK: "at work",
    Status.READY: "ready",
    Status.PERSON: "needs a person",
    Status.FAILED: "failed",
}
