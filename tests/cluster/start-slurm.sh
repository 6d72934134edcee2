#!/bin/bash
# Start a real, private SLURM cluster on this machine: one slurmctld, several slurmds, GPUs as device files.
# As root, without systemd and cgroups. Debian 12: see .ci/run for the packages.
#
#   start-slurm.sh DIR     all of it lives in DIR: config, keys, sockets, state, logs, pids
#   env: GPU_NODES=2 CPU_NODES=1 GPUS_PER_NODE=4 GPU_MODEL=h100 ACCOUNTING=0|1 PORT=17000
#        MIN_JOB_AGE=1800
set -eu
dir=$(readlink -m "${1:?usage: $0 DIR}")
gpu_nodes=${GPU_NODES:-2} cpu_nodes=${CPU_NODES:-1} gpus=${GPUS_PER_NODE:-4}
model=${GPU_MODEL:-h100} port=${PORT:-17000} host=$(hostname -s)
nodes=()
for ((i = 1; i <= gpu_nodes; i++)); do nodes+=("gpu$i"); done
for ((i = 1; i <= cpu_nodes; i++)); do nodes+=("cpu$i"); done

mkdir -p "$dir"/{state,log,run,munge,dev} /etc/slurm
chmod 755 "$dir"
chmod 700 "$dir/munge"
for node in "${nodes[@]}"; do mkdir -p "$dir/run/spool.$node"; done
if [ ! -s "$dir/munge/munge.key" ]; then
    head -c 128 /dev/urandom > "$dir/munge/munge.key"
    chmod 400 "$dir/munge/munge.key"
fi
munged --force --key-file="$dir/munge/munge.key" --socket="$dir/run/munge.socket" \
    --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" \
    --seed-file="$dir/munge/seed" --num-threads=2

# What a node runs before a job: it fails while a test wants it to.
printf '#!/bin/sh\n[ ! -e %s ]\n' "$dir/run/prolog-fails" > "$dir/prolog"
chmod +x "$dir/prolog"

# slurmd takes a GPU only if its file is a device: these are all /dev/null.
for ((i = 0; i < gpus; i++)); do
    [ -c "$dir/dev/nvidia$i" ] || mknod -m 666 "$dir/dev/nvidia$i" c 1 3
done
cat > "$dir/gres.conf" <<END
AutoDetect=off
NodeName=gpu[1-$gpu_nodes] Name=gpu Type=$model File=$dir/dev/nvidia[0-$((gpus - 1))]
END

{
    cat <<END
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# cred_expire is also how long a job is held after it was requeued: two minutes by default
AuthInfo=socket=$dir/run/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/run/spool.%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
KillWait=3
InactiveLimit=0
MinJobAge=${MIN_JOB_AGE:-1800}
Waittime=0
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# nodes have more CPUs and memory than this machine
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MailProg=/bin/true
Prolog=$dir/prolog
Licenses=data:4
END
    if [ "${ACCOUNTING:-0}" = 1 ]; then
        cat <<END
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 99))
AccountingStoragePass=$dir/run/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits
END
    fi
    for ((i = 0; i < ${#nodes[@]}; i++)); do
        node=${nodes[$i]} gres=
        [[ $node == cpu* ]] || gres="Gres=gpu:$model:$gpus"
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=16" \
            "RealMemory=64000 $gres State=UNKNOWN"
    done
    common="MaxTime=1:00:00 DefMemPerCPU=100 State=UP"
    cat <<END
PartitionName=gpu Nodes=gpu[1-$gpu_nodes] Default=NO PriorityTier=10 $common
PartitionName=spare Nodes=gpu[1-$gpu_nodes] Default=NO PriorityTier=1 PreemptMode=REQUEUE $common
PartitionName=lent Nodes=gpu[1-$gpu_nodes] Default=NO PriorityTier=1 PreemptMode=CANCEL $common
PartitionName=hidden Nodes=cpu[1-$cpu_nodes] Default=NO Hidden=YES PriorityTier=10 $common
PartitionName=cpu Nodes=cpu[1-$cpu_nodes] Default=YES PriorityTier=10 $common
END
} > "$dir/slurm.conf"
export SLURM_CONF="$dir/slurm.conf"

if [ "${ACCOUNTING:-0}" = 1 ]; then
    if [ ! -d "$dir/db/mysql" ]; then
        mariadb-install-db --no-defaults --user=root --datadir="$dir/db" --skip-test-db \
            --auth-root-authentication-method=normal > "$dir/log/mariadb-install.log" 2>&1
    fi
    sql="$dir/run/mysql.sock"
    setsid mariadbd --no-defaults --user=root --datadir="$dir/db" --socket="$sql" --port=$((port + 98)) \
        --bind-address=127.0.0.1 --pid-file="$dir/run/mariadbd.pid" --innodb-buffer-pool-size=64M \
        --innodb-log-file-size=32M --innodb-lock-wait-timeout=900 --log-error="$dir/log/mariadb.log" \
        < /dev/null > /dev/null 2>&1 &
    for _ in $(seq 600); do
        mariadb-admin --no-defaults --socket="$sql" -u root ping > /dev/null 2>&1 && break
        sleep 0.1
    done
    mariadb --no-defaults --socket="$sql" -u root -e "create database if not exists slurm_acct;
        create user if not exists 'slurm'@'127.0.0.1' identified by 'lab';
        create user if not exists 'slurm'@'localhost' identified by 'lab';
        grant all on slurm_acct.* to 'slurm'@'127.0.0.1'; grant all on slurm_acct.* to 'slurm'@'localhost';"
    cat > "$dir/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((port + 99))
SlurmUser=root
LogFile=$dir/log/slurmdbd.log
PidFile=$dir/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 98))
StorageUser=slurm
StoragePass=lab
StorageLoc=slurm_acct
END
    chmod 600 "$dir/slurmdbd.conf"
    slurmdbd
    for _ in $(seq 600); do
        sacctmgr -n show cluster > /dev/null 2>&1 && break
        sleep 0.1
    done
    sacctmgr -n show cluster lab | grep -q lab || sacctmgr -i add cluster lab > /dev/null
    sacctmgr -n show account lab | grep -q lab || sacctmgr -i add account lab > /dev/null
    sacctmgr -i add user root account=lab > /dev/null
fi

slurmctld -f "$SLURM_CONF" -i
for node in "${nodes[@]}"; do slurmd -f "$SLURM_CONF" -N "$node"; done
for _ in $(seq 600); do
    up=$(sinfo -h -N -o '%N %t' 2> /dev/null | sort -u | grep -cE ' (idle|mix|alloc)$' || true)
    [ "$up" = "${#nodes[@]}" ] && exit 0
    sleep 0.1
done
sinfo -N >&2 || true
echo "the cluster's nodes did not come up; see $dir/log" >&2
exit 1
