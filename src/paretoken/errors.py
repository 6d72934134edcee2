"""Errors that a user can fix, as distinct from defects of the program."""


class UserError(Exception):
    """Invalid input. The message says what is wrong, where, what is allowed and what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class FitError(UserError):
    """Data that cannot determine the law at all (a usable but doubtful fit gets a status instead)."""


class StoppedEarlyError(UserError):
    """A command that was asked to stop and saved its progress; the same command resumes it."""
