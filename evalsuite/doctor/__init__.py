"""What of evalsuite works on this machine: packages, backends, metrics, tasks; what each lacks, and the way out.

Data are looked at by ``inspection``.
"""
