"""``python -m shoal`` is ``shoal``."""

from shoal.producer.cli import main

main(prog_name="shoal")
