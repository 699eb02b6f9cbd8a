"""Workers on this machine, started for the embedded server; they end with this process."""
