"""A Ray cluster of several nodes on this machine, as a process of its own: ``python -m engine.ray_nodes DIR 2 2``.

Ray keeps its logs in DIR. Each number is a node with so many CPUs, beside a head with none. Says the address in a line
of its own, then obeys lines on its standard input: ``kill N`` kills node N with everything that runs on it, ``add N``
adds a node with N CPUs. Ends with its input. On loopback only.
"""

from __future__ import annotations

import os
import sys

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

from ray.cluster_utils import Cluster

STORE = {"object_store_memory": 80 * 2**20}


def main(folder: str, cpus: list[int]) -> None:
    head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": folder, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = [cluster.add_node(num_cpus=count, **STORE) for count in cpus]
        print(cluster.address, flush=True)
        for line in sys.stdin:
            what, number = line.split()
            if what == "kill":
                cluster.remove_node(nodes[int(number)], allow_graceful=False)
            else:
                nodes.append(cluster.add_node(num_cpus=int(number), **STORE))
            print("done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], [int(count) for count in sys.argv[2:]])
