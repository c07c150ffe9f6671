"""``--model tiny``: a small seeded random PaliGemma that loads like any local checkpoint folder."""
