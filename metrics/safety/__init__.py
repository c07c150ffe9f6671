"""Whether what a model says would hurt people. Nothing here says whether it is right."""
