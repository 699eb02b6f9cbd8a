"""The embedded server: Valkey, started by the first command and gone with the last."""
