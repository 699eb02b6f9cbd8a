"""One thread for BLAS and OpenMP in each process; to be imported before numpy.

With the default, two processes on two cores ran twelve times slower. The fit starts threads of
its own on all cores (see ``shoal.worker.model.fitting``).
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
