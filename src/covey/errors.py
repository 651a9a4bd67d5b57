"""What goes wrong by a user's hand, said in one sentence."""


class UserError(Exception):
    """One clear sentence that names the option and the remedy; the command line exits with 2."""
