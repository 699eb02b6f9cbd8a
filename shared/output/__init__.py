"""What programs write: streams, and the lines of logs."""
