"""From stored answers to values with intervals: no model, no data set, only a run's folder.

What one answer is worth is a metric's business (``evalsuite.metrics``); what two runs differ in is in ``comparison``.
"""
