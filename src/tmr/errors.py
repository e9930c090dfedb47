"""The one exception that commands show to people as a single line."""


class InputError(ValueError):
    """What a user gave cannot be used.

    The message says what was found, what was expected and, where there is one, the command that
    mends it. Commands print it on one line and exit with code 2; library callers catch it.
    """
