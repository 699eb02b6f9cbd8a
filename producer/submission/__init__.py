"""All that happens before a job exists: the folder is listed, the options are checked."""
