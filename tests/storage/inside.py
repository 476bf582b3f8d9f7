"""Where the tests of the storage look inside a journal."""


def writer_of(journal):
    """Return what decides when a journal in a database commits."""
    return journal._commit


def store_of(journal):
    """Return what a journal in a database commits with."""
    return writer_of(journal)._store
