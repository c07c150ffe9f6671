"""What people say about the synthetic world, in one language and in many. Nothing here draws."""
