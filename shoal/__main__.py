"""``python -m shoal`` is ``shoal``."""

from shoal.producer.cli.main import main

main(prog_name="shoal")
