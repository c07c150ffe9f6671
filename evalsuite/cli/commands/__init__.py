"""The verbs: one thin file each, which parses, calls one library function, and prints."""
