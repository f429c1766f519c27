"""A sweep on workers of Dask in jobs of SLURM: `python dask_jobs.py`, on the login node or in a job of its own.

It needs `pip install "dlsweep[dask]" dask-jobqueue`. Edit the numbers and the config.
"""

from dask_jobqueue import SLURMCluster
from distributed import Client

import dlsweep

JOBS, CORES, MEMORY = 8, 4, "8GB"  # CORES and MEMORY are those of one job
HOURS = 4

if __name__ == "__main__":
    with SLURMCluster(
        cores=CORES,
        processes=CORES,  # a worker with one thread for each core
        memory=MEMORY,
        walltime=f"{HOURS}:00:00",
        # A worker ends before SLURM kills it, and gives its chunk back.
        worker_extra_args=["--lifetime", f"{60 * HOURS - 10}m", "--lifetime-stagger", "5m"],
        job_extra_directives=[],  # such as "--constraint=icelake", for one kind of processor
    ) as cluster:
        cluster.adapt(minimum_jobs=JOBS, maximum_jobs=JOBS)  # another job follows one that ends
        with Client(cluster) as client:
            client.wait_for_workers(JOBS * CORES)  # the sweep is cut for as many workers as there are when it starts
        dlsweep.run("sweep.yaml", scheduler=cluster.scheduler_address)
