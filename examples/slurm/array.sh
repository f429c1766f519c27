#!/bin/bash
# A sweep as an array job of SLURM: each task trains a shard on one node. Edit the three lines with "edit:". Then, on the
# login node, in the folder of sweep.yaml:
#
#   dlsweep run sweep.yaml --dry-run     # checks the config, and fetches published data: nodes may have no network
#   job=$(sbatch --parsable array.sh)
#   sbatch --dependency=afterany:$job --wrap "dlsweep merge results/sweep results/sweep.shard-*"
#
# Later, the same commands train the missing runs; finished shards end at once. Before you submit some tasks only, such as
# with `sbatch --array=2 array.sh`, write the number of all shards in place of SLURM_ARRAY_TASK_COUNT: it counts these tasks only.

#SBATCH --array=0-3                                    # edit: the shards, from 0
#SBATCH --time=04:00:00 --cpus-per-task=4 --mem=8G     # edit: for a shard; --constraint=… asks for one kind of processor
#SBATCH --signal=INT@120                               # Ctrl-C two minutes before the end of the time: code 130
#SBATCH --requeue --open-mode=append

# srun makes the command a step of the job: --signal reaches steps, and no other commands of the script.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  dlsweep run sweep.yaml --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" # edit: the config, and options
code=$?
if [ "$code" -eq 130 ]; then scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; fi
exit "$code"
