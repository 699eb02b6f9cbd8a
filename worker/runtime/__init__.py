"""What a worker needs to run: context, heartbeats, sweeper, message check, shutdown signal."""
