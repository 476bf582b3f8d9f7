from app.cluster.cluster import Cluster, open_cluster
from app.cluster.errors import ClusterLost, ClusterRefused, ClusterUnusable

__all__ = ["Cluster", "ClusterLost", "ClusterRefused", "ClusterUnusable", "open_cluster"]
