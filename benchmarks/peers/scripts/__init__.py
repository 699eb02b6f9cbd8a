"""What each program does with a folder, as its documentation says: one script a program.

Each runs in its program's environment as ``python -m benchmarks.peers.scripts.NAME FOLDER``, in
a directory of its own, and prints an outcome. So none imports Shoal but Shoal's own.
"""
