"""What control and its edges tell one another, as values: published facts, and a proof of being one of our edges."""
