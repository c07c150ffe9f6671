"""What of evalsuite works on this machine: packages, programs, backends, and what their absence blocks.

Data are looked at by ``inspection``.
"""
