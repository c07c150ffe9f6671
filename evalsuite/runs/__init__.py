"""What a run leaves on disk: the store of its answers, its folder, its results, and results brought in from elsewhere.

Who decides what goes into them is elsewhere: answers come from ``engine``, values from ``scoring``.
"""
