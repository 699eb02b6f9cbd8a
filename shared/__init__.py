"""What producer and worker share: settings, job models, the store, the messages."""
