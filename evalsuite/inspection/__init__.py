"""Looking at data before a run: checked against its spec, pinned in a lock file, shown on a page."""
