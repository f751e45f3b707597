"""`make bench`: how fast Mailark is, each number as a ratio to something well known in the same run."""
