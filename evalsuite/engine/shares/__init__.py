"""A run cut into shares for several processes: what is there of each, a process for each device, and the whole again."""
