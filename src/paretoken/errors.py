"""Errors that a user can mend, told apart from defects of the program."""


class UserError(Exception):
    """Bad input. The message says what is wrong, where, what is allowed and what to do.

    The command line prints it without a traceback and ends with exit code 2.
    """


class FitError(UserError):
    """The data cannot determine the law at all (a usable but doubtful fit has a status instead)."""


class StoppedEarlyError(UserError):
    """A command was asked to stop and has kept what it did; the same command continues."""
