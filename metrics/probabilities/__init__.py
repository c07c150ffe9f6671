"""What the probabilities of generated tokens say. What the text says is for the other rooms."""
