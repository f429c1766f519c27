"""A sweep on workers of Dask in jobs of SLURM: `python dask_jobs.py`, on the login node or in a job of its own.

It needs `pip install "dlsweep[dask]" dask-jobqueue cryptography`. Edit the numbers and the config.
"""

import sys

import dask
from dask_jobqueue import SLURMCluster
from distributed import Client, Security

import dlsweep

JOBS, CORES, MEMORY = 8, 4, "8GB"  # CORES and MEMORY are those of one job
HOURS, QUEUE_HOURS = 4, 12  # of a job, and of its wait for nodes

if __name__ == "__main__":
    # A message to Dask can run any program as you. This certificate keeps the other users of the cluster out.
    security = Security.temporary()
    own = security.get_tls_config_for_role("client")
    dask.config.set({"distributed.comm.tls.ca-file": own["ca_file"]})
    dask.config.set({f"distributed.comm.tls.client.{name}": own[name] for name in ("cert", "key")})
    with SLURMCluster(
        cores=CORES,
        processes=CORES,  # a worker with one thread for each core
        memory=MEMORY,
        walltime=f"{HOURS}:00:00",
        # A worker ends before SLURM kills it, and gives its chunk back.
        worker_extra_args=["--lifetime", f"{60 * HOURS - 10}m", "--lifetime-stagger", "5m"],
        job_extra_directives=[],  # such as "--constraint=icelake", for one kind of processor
        protocol="tls://",
        security=security,
        shared_temp_directory=".",  # for the certificate, in files that only you can read
    ) as cluster:
        cluster.adapt(minimum_jobs=JOBS, maximum_jobs=JOBS)  # another job follows one that ends
        with Client(cluster) as client:
            try:  # dlsweep divides the sweep for the workers that are there
                client.wait_for_workers(JOBS * CORES, timeout=3600 * QUEUE_HOURS)
            except TimeoutError:
                sys.exit(
                    f"only {len(client.nthreads())} of {JOBS * CORES} workers have started in {QUEUE_HOURS:g} hours: "
                    "squeue --me shows why jobs wait, and the last lines of slurm-*.out why they ended; to train with "
                    "fewer workers, lower JOBS; to wait longer, raise QUEUE_HOURS"
                )
        dlsweep.run("sweep.yaml", scheduler=cluster.scheduler_address)
