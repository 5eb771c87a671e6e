"""The command `bamba`."""
