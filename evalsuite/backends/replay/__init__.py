"""Answers that another program made, from files in the forms people have them."""
