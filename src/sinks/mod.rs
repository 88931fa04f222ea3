//! Where events go, one file each; the metrics.
