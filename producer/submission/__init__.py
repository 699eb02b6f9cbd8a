"""What happens before a job exists: listing the folder, checking options, planning batches."""
