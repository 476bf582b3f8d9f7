from app.cluster.cluster import Cluster, open_cluster
from app.cluster.errors import ClusterLost, ClusterRefused

__all__ = ["Cluster", "ClusterLost", "ClusterRefused", "open_cluster"]
