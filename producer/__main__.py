"""``python -m producer`` is ``shoal``."""

from producer.cli import main

main(prog_name="shoal")
