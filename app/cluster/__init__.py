from app.cluster.cluster import Cluster, open_cluster
from app.cluster.errors import ClusterLost, ClusterRefused, WorkerLost
from app.cluster.local import local_workers

__all__ = ["Cluster", "ClusterLost", "ClusterRefused", "WorkerLost", "local_workers", "open_cluster"]
