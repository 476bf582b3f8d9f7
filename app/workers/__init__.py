from app.workers.cluster import Cluster, open_cluster
from app.workers.errors import ClusterLost, ClusterRefused, WorkerLost
from app.workers.local import local_workers

__all__ = ["Cluster", "ClusterLost", "ClusterRefused", "WorkerLost", "local_workers", "open_cluster"]
