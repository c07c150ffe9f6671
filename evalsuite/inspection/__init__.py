"""Looking at data before a run: checked against its spec, pinned in a lock file, shown on a page.

Answers are looked at in ``viewer``, the machine in ``doctor``.
"""
