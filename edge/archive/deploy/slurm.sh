#!/bin/bash
# A shard a task: sbatch slurm.sh. The same command again goes on where tasks were lost, or does nothing.
#SBATCH --job-name=archive
#SBATCH --array=0-7
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -euo pipefail
exec srun archive --tiles "${TILES:-tiles.parquet}" --out "${OUT:-captions}" \
  --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))/$SLURM_ARRAY_TASK_COUNT"
