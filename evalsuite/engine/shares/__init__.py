"""A run cut into shares for several processes: how far each is, one for each device, and the whole again."""
