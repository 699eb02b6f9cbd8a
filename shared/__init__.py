"""What producer and worker agree on: settings, job models, the store, the messages."""
