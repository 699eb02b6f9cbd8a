"""One thread for BLAS and OpenMP in each process: imported before numpy is.

With the default, two processes on two cores ran twelve times slower. The fit takes all
cores for itself (see ``shoal.worker.model.fitting``).
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
