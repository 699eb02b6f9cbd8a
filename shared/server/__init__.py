"""The embedded server: Valkey, started by the first command that needs it, ended with the last."""
