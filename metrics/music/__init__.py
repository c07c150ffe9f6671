"""Sheet music, written as **kern."""
