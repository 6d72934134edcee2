#!/bin/bash
# stop-slurm.sh DIR: cancel all jobs of the private cluster in DIR, and end its daemons (by their pid files).
dir=$(readlink -m "${1:?usage: $0 DIR}")
export SLURM_CONF="$dir/slurm.conf"
timeout 5 scancel --user=root 2> /dev/null && sleep 1
timeout 5 scancel --signal=KILL --user=root 2> /dev/null && sleep 1
for file in "$dir"/run/{slurmctld,slurmd.*,slurmdbd,mariadbd,munged}.pid; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2> /dev/null
    for _ in $(seq 100); do
        # without an init process, one that has ended stays as a zombie
        state=$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -c1)
        case $state in "" | Z | X) break ;; esac
        sleep 0.05
    done
done
