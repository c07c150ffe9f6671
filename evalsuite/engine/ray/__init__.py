"""The same run on workers of a Ray cluster, or of this machine. Nothing here imports Ray until a pool is made."""
