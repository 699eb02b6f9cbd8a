"""Messages: the Celery application, its channel, and what is sent."""
